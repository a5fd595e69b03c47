// `node session_libsignal.mjs SECONDS`: two devices of libsignal in one process, timed; one JSON object of samples in us.
// A sample is the less of what the clock says and what all threads took: helpers of Node.js that run beside it count for
// nothing, and neither does what other processes take of the machine.
import { createRequire } from 'node:module';

const require = createRequire(new URL('../tests/peers/', import.meta.url));
const signal = await import(require.resolve('libsignal-0.103.0'));

const SHARE_MS = (Number(process.argv[2]) * 1000) / 3;
const BATCH = 200;
const TURNS = 10;
const TEXT = Buffer.alloc(100, 'x');
const NAMES = ['alice', 'bob'].map((name) => signal.ProtocolAddress.new(name, 1));

class Sessions extends signal.SessionStore {
  record = null;
  async saveSession(_, record) {
    this.record = record;
  }
  async getSession() {
    return this.record;
  }
  async getExistingSessions() {
    return [this.record];
  }
}

class Identity extends signal.IdentityKeyStore {
  key = signal.PrivateKey.generate();
  async getIdentityKey() {
    return this.key;
  }
  async getLocalRegistrationId() {
    return 815;
  }
  async saveIdentity() {
    return signal.IdentityChange.NewOrUnchanged;
  }
  async isTrustedIdentity() {
    return true;
  }
  async getIdentity() {
    return null;
  }
}

class PreKeys extends signal.PreKeyStore {
  record = null;
  async savePreKey() {}
  async getPreKey() {
    return this.record;
  }
  async removePreKey() {}
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

class Device {
  constructor(self, peer) {
    this.self = self;
    this.peer = peer;
    this.identity = new Identity();
    this.sessions = new Sessions();
    const [pair, single] = [signal.PrivateKey.generate(), signal.PrivateKey.generate()];
    const kem = signal.KEMKeyPair.generate();
    const [signature, kemSignature] = [pair.getPublicKey(), kem.getPublicKey()].map((key) =>
      this.identity.key.sign(key.serialize()),
    );
    this.signed = new SignedPreKeys();
    this.kyber = new KyberPreKeys();
    this.single = new PreKeys();
    this.signed.record = signal.SignedPreKeyRecord.new(1, 0, pair.getPublicKey(), pair, signature);
    this.kyber.record = signal.KyberPreKeyRecord.new(2, 0, kem, kemSignature);
    this.single.record = signal.PreKeyRecord.new(3, single.getPublicKey(), single);
    const own = this.identity.key.getPublicKey();
    this.bundle = signal.PreKeyBundle.new(
      815, 1, 3, single.getPublicKey(), 1, pair.getPublicKey(), signature, own, 2, kem.getPublicKey(), kemSignature,
    );
  }
  write() {
    return signal.signalEncrypt(TEXT, this.peer, this.self, this.sessions, this.identity);
  }
  async read(message) {
    const body = message.serialize();
    return message.type() === signal.CiphertextMessageType.PreKey
      ? signal.signalDecryptPreKey(
          signal.PreKeySignalMessage.deserialize(body),
          this.peer, this.self, this.sessions, this.identity, this.single, this.signed, this.kyber,
        )
      : signal.signalDecrypt(
          signal.SignalMessage.deserialize(body), this.peer, this.self, this.sessions, this.identity,
        );
  }
}

const now = () => Number(process.hrtime.bigint()) / 1000;

function timer() {
  const [clock, cpu] = [now(), process.cpuUsage()];
  return () => {
    const { user, system } = process.cpuUsage(cpu);
    return Math.min(now() - clock, user + system);
  };
}

async function start() {
  const [alice, bob] = [new Device(...NAMES), new Device(NAMES[1], NAMES[0])];
  const taken = timer();
  await signal.processPreKeyBundle(bob.bundle, alice.peer, alice.self, alice.sessions, alice.identity);
  await bob.read(await alice.write());
  return [alice, bob, taken()];
}

async function repeat(action) {
  const end = now() + SHARE_MS * 1000;
  while (now() < end) await action();
}

const samples = { setup: [], pingpong: [], encrypt: [], decrypt: [] };
await repeat(async () => samples.setup.push((await start())[2]));
const [alice, bob] = await start();
await repeat(async () => {
  const taken = timer();
  for (let i = 0; i < TURNS; i++) {
    await alice.read(await bob.write());
    await bob.read(await alice.write());
  }
  samples.pingpong.push(taken() / 2 / TURNS);
});
await repeat(async () => {
  const messages = [];
  let taken = timer();
  for (let i = 0; i < BATCH; i++) messages.push(await alice.write());
  samples.encrypt.push(taken() / BATCH);
  taken = timer();
  for (const message of messages) await bob.read(message);
  samples.decrypt.push(taken() / BATCH);
});
process.stdout.write(`${JSON.stringify(samples)}\n`);
