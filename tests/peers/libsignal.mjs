// One libsignal device of the release named as argument, driven by JSON lines: a request on stdin, its answer on stdout.
// Bytes travel as base64.
import { createCipheriv, createDecipheriv, createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { createInterface } from 'node:readline';

const release = process.argv[2];
const signal = await import(`libsignal-${release}`);
const minor = Number(release.split('.')[1]);

const SIGNED_ID = 21;
const KYBER_ID = 22;
const ONE_TIME_ID = 23;
const PEER = signal.ProtocolAddress.new('corefast', 1);
const SELF = signal.ProtocolAddress.new('libsignal', 1);
// Later releases want our own address too, each function from another release on.
const selfFrom = (first) => (minor >= first ? [SELF] : []);

const bytes = (text) => Buffer.from(text, 'base64');
const text = (value) => Buffer.from(value).toString('base64');

class Sessions extends signal.SessionStore {
  #records = new Map();
  async saveSession(name, record) {
    this.#records.set(name.toString(), record.serialize());
  }
  async getSession(name) {
    const record = this.#records.get(name.toString());
    return record ? signal.SessionRecord.deserialize(record) : null;
  }
  async getExistingSessions(names) {
    return Promise.all(names.map((name) => this.getSession(name)));
  }
}

class Identity extends signal.IdentityKeyStore {
  key = signal.PrivateKey.generate();
  #seen = new Map();
  async getIdentityKey() {
    return this.key;
  }
  async getLocalRegistrationId() {
    return 815;
  }
  async saveIdentity(name, key) {
    this.#seen.set(name.toString(), key);
    return signal.IdentityChange.NewOrUnchanged;
  }
  async isTrustedIdentity() {
    return true;
  }
  async getIdentity(name) {
    return this.#seen.get(name.toString()) ?? null;
  }
}

class PreKeys extends signal.PreKeyStore {
  record = null;
  async savePreKey() {}
  async getPreKey(id) {
    if (id !== ONE_TIME_ID || !this.record) throw new Error('no such one-time prekey');
    return this.record;
  }
  async removePreKey() {
    this.record = null;
  }
}

class SignedPreKeys extends signal.SignedPreKeyStore {
  record = null;
  async saveSignedPreKey() {}
  async getSignedPreKey() {
    return this.record;
  }
}

class KyberPreKeys extends signal.KyberPreKeyStore {
  record = null;
  async saveKyberPreKey() {}
  async getKyberPreKey() {
    return this.record;
  }
  async markKyberPreKeyUsed() {}
}

class SenderKeys extends signal.SenderKeyStore {
  #records = new Map();
  async saveSenderKey(sender, id, record) {
    this.#records.set(`${sender.toString()} ${id}`, record.serialize());
  }
  forget(sender, id) {
    this.#records.delete(`${sender.toString()} ${id}`);
  }
  async getSenderKey(sender, id) {
    const record = this.#records.get(`${sender.toString()} ${id}`);
    return record ? signal.SenderKeyRecord.deserialize(record) : null;
  }
}

const senderKeys = new SenderKeys();
const sessions = new Sessions();
const identity = new Identity();
const oneTime = new PreKeys();
const signed = new SignedPreKeys();
const kyber = new KyberPreKeys();

const mediaKeys = (key, info) => {
  const keys = Buffer.from(signal.hkdf(112, bytes(key), Buffer.from(info), null));
  return { iv: keys.subarray(0, 16), cipher: keys.subarray(16, 48), mac: keys.subarray(48, 80) };
};

const actions = {
  // Publish a bundle; a later one replaces it.
  async bundle({ with_one_time, with_kem }) {
    const pair = signal.PrivateKey.generate();
    const kem = signal.KEMKeyPair.generate();
    const single = signal.PrivateKey.generate();
    const signature = identity.key.sign(pair.getPublicKey().serialize());
    const kemSignature = identity.key.sign(kem.getPublicKey().serialize());
    signed.record = signal.SignedPreKeyRecord.new(SIGNED_ID, 0, pair.getPublicKey(), pair, signature);
    kyber.record = signal.KyberPreKeyRecord.new(KYBER_ID, 0, kem, kemSignature);
    oneTime.record = signal.PreKeyRecord.new(ONE_TIME_ID, single.getPublicKey(), single);
    return {
      identity: text(identity.key.getPublicKey().serialize()),
      registration_id: await identity.getLocalRegistrationId(),
      signed_id: SIGNED_ID,
      signed_public: text(pair.getPublicKey().serialize()),
      signed_signature: text(signature),
      kem_id: with_kem ? KYBER_ID : null,
      kem_public: with_kem ? text(kem.getPublicKey().serialize()) : null,
      kem_signature: with_kem ? text(kemSignature) : null,
      one_time_id: with_one_time ? ONE_TIME_ID : null,
      one_time_public: with_one_time ? text(single.getPublicKey().serialize()) : null,
    };
  },
  // Start a session from our bundle.
  async start(bundle) {
    const their = signal.PreKeyBundle.new(
      bundle.registration_id,
      1,
      bundle.one_time_id,
      bundle.one_time_public && signal.PublicKey.deserialize(bytes(bundle.one_time_public)),
      bundle.signed_id,
      signal.PublicKey.deserialize(bytes(bundle.signed_public)),
      bytes(bundle.signed_signature),
      signal.PublicKey.deserialize(bytes(bundle.identity)),
      bundle.kem_id,
      bundle.kem_public && signal.KEMPublicKey.deserialize(bytes(bundle.kem_public)),
      bundle.kem_signature && bytes(bundle.kem_signature),
    );
    await signal.processPreKeyBundle(their, PEER, ...selfFrom(93), sessions, identity);
    return {};
  },
  async encrypt({ plaintext }) {
    const message = await signal.signalEncrypt(bytes(plaintext), PEER, ...selfFrom(92), sessions, identity);
    return { kind: message.type(), body: text(message.serialize()) };
  },
  async decrypt({ kind, body }) {
    const plaintext =
      kind === signal.CiphertextMessageType.PreKey
        ? await signal.signalDecryptPreKey(
            signal.PreKeySignalMessage.deserialize(bytes(body)),
            PEER,
            ...selfFrom(92),
            sessions,
            identity,
            oneTime,
            signed,
            kyber,
          )
        : await signal.signalDecrypt(
            signal.SignalMessage.deserialize(bytes(body)),
            PEER,
            ...selfFrom(93),
            sessions,
            identity,
          );
    return { plaintext: text(plaintext) };
  },
  // A group has one chain of ours until it is renewed.
  async group_create({ group, renew }) {
    if (renew) senderKeys.forget(SELF, group);
    const message = await signal.SenderKeyDistributionMessage.create(SELF, group, senderKeys);
    return { message: text(message.serialize()) };
  },
  async group_join({ message }) {
    const distribution = signal.SenderKeyDistributionMessage.deserialize(bytes(message));
    await signal.processSenderKeyDistributionMessage(PEER, distribution, senderKeys);
    return {};
  },
  async group_encrypt({ group, plaintext }) {
    const message = await signal.groupEncrypt(SELF, group, senderKeys, bytes(plaintext));
    return { message: text(message.serialize()) };
  },
  async group_decrypt({ message }) {
    return { plaintext: text(await signal.groupDecrypt(PEER, senderKeys, bytes(message))) };
  },
  async fingerprint({ version, our_id, our_key, their_id, their_key }) {
    const [ours, theirs] = [our_key, their_key].map((key) => signal.PublicKey.deserialize(bytes(key)));
    const made = signal.Fingerprint.new(5200, version, bytes(our_id), ours, bytes(their_id), theirs);
    return { shown: made.displayableFingerprint().toString(), scanned: text(made.scannableFingerprint().toBuffer()) };
  },
  // libsignal leaves files to its callers: its HKDF and Node's ciphers, as Signal's and WhatsApp's clients do it.
  async media_seal({ key, info, file }) {
    const { iv, cipher, mac } = mediaKeys(key, info);
    const sealer = createCipheriv('aes-256-cbc', cipher, iv);
    const ciphertext = Buffer.concat([sealer.update(bytes(file)), sealer.final()]);
    const sealed = Buffer.concat([ciphertext, createHmac('sha256', mac).update(iv).update(ciphertext).digest().subarray(0, 10)]);
    return { sealed: text(sealed), hash: text(createHash('sha256').update(sealed).digest()) };
  },
  async media_open({ key, info, sealed }) {
    const { iv, cipher, mac } = mediaKeys(key, info);
    const ciphertext = bytes(sealed).subarray(0, -10);
    const tag = createHmac('sha256', mac).update(iv).update(ciphertext).digest().subarray(0, 10);
    if (!timingSafeEqual(tag, bytes(sealed).subarray(-10))) throw new Error('the MAC of the file does not match');
    const opener = createDecipheriv('aes-256-cbc', cipher, iv);
    return { file: text(Buffer.concat([opener.update(ciphertext), opener.final()])) };
  },
  async sign({ message }) {
    return { signature: text(identity.key.sign(bytes(message))), identity: text(identity.key.getPublicKey().serialize()) };
  },
  async verify({ identity: key, message, signature }) {
    return { valid: signal.PublicKey.deserialize(bytes(key)).verify(bytes(message), bytes(signature)) };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { action, ...rest } = JSON.parse(line);
  let answer;
  try {
    answer = await actions[action](rest);
  } catch (error) {
    answer = { error: `${error.name}: ${error.message}` };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
