/* One device of libsignal-protocol-c (X3DH, version 3), driven by lines of words; bytes travel as hex, "-" is nothing.
 *
 *     bundle            -> registration identity signed_id signed signature one_time_id one_time
 *     start WORDS       (the words of a bundle) -> ok
 *     encrypt TEXT      -> kind message
 *     decrypt KIND BODY -> text
 *     fingerprint VERSION ID IDENTITY ID IDENTITY -> digits code   (ours first)
 *     compare VERSION ID IDENTITY ID IDENTITY CODE -> 1 where the code of the other side says the same, else 0
 *
 * A refusal is answered with "error" and the library's number. `libsignal_c bench N` measures two devices instead.
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <curve.h>
#include <fingerprint.h>
#include <key_helper.h>
#include <protocol.h>
#include <ratchet.h>
#include <session_builder.h>
#include <session_cipher.h>
#include <session_pre_key.h>
#include <signal_protocol.h>

enum { SIGNED_ID = 21, ONE_TIME_ID = 23, REGISTRATION_ID = 815, LINE = 400000 };

typedef struct {
    uint8_t *data;
    size_t size;
} Bytes;

typedef struct {
    signal_protocol_store_context *store;
    ratchet_identity_key_pair *identity;
    Bytes session, one_time, signed_key;
    session_signed_pre_key *signed_record;
    session_pre_key *one_time_record;
    session_cipher *cipher;
} Device;

static signal_context *library;
static const signal_protocol_address PEER = {"corefast", 8, 1};

static void must(int result) {
    if (result < 0) {
        fprintf(stderr, "libsignal-protocol-c: %d\n", result);
        exit(1);
    }
}

/* the crypto that the library asks for */

static int draw(uint8_t *data, size_t size, void *user) {
    return RAND_bytes(data, (int) size) == 1 ? 0 : SG_ERR_UNKNOWN;
}

static int hmac_init(void **context, const uint8_t *key, size_t size, void *user) {
    *context = HMAC_CTX_new();
    return HMAC_Init_ex(*context, key, (int) size, EVP_sha256(), NULL) == 1 ? 0 : SG_ERR_UNKNOWN;
}

static int hmac_update(void *context, const uint8_t *data, size_t size, void *user) {
    return HMAC_Update(context, data, size) == 1 ? 0 : SG_ERR_UNKNOWN;
}

static int hmac_final(void *context, signal_buffer **output, void *user) {
    uint8_t digest[32];
    unsigned size = sizeof digest;
    if (HMAC_Final(context, digest, &size) != 1) return SG_ERR_UNKNOWN;
    *output = signal_buffer_create(digest, size);
    return 0;
}

static void hmac_cleanup(void *context, void *user) { HMAC_CTX_free(context); }

static int sha512_init(void **context, void *user) {
    *context = EVP_MD_CTX_new();
    return EVP_DigestInit_ex(*context, EVP_sha512(), NULL) == 1 ? 0 : SG_ERR_UNKNOWN;
}

static int sha512_update(void *context, const uint8_t *data, size_t size, void *user) {
    return EVP_DigestUpdate(context, data, size) == 1 ? 0 : SG_ERR_UNKNOWN;
}

static int sha512_final(void *context, signal_buffer **output, void *user) {
    uint8_t digest[64];
    if (EVP_DigestFinal_ex(context, digest, NULL) != 1) return SG_ERR_UNKNOWN;
    *output = signal_buffer_create(digest, sizeof digest);
    return EVP_DigestInit_ex(context, EVP_sha512(), NULL) == 1 ? 0 : SG_ERR_UNKNOWN;
}

static void sha512_cleanup(void *context, void *user) { EVP_MD_CTX_free(context); }

static int run_cipher(int seal, signal_buffer **output, int cipher, const uint8_t *key, size_t key_size,
                      const uint8_t *iv, const uint8_t *input, size_t size) {
    int head = 0, tail = 0, result = SG_ERR_UNKNOWN;
    uint8_t *room = malloc(size + 16);
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (cipher == SG_CIPHER_AES_CBC_PKCS5 && key_size == 32
        && EVP_CipherInit_ex(context, EVP_aes_256_cbc(), NULL, key, iv, seal)
        && EVP_CipherUpdate(context, room, &head, input, (int) size)
        && EVP_CipherFinal_ex(context, room + head, &tail)) {
        *output = signal_buffer_create(room, head + tail);
        result = 0;
    }
    EVP_CIPHER_CTX_free(context);
    free(room);
    return result;
}

static int seal(signal_buffer **output, int cipher, const uint8_t *key, size_t key_size, const uint8_t *iv,
                size_t iv_size, const uint8_t *text, size_t size, void *user) {
    return run_cipher(1, output, cipher, key, key_size, iv, text, size);
}

static int open_sealed(signal_buffer **output, int cipher, const uint8_t *key, size_t key_size, const uint8_t *iv,
                       size_t iv_size, const uint8_t *text, size_t size, void *user) {
    return run_cipher(0, output, cipher, key, key_size, iv, text, size);
}

static const signal_crypto_provider CRYPTO = {
    draw, hmac_init, hmac_update, hmac_final, hmac_cleanup, sha512_init, sha512_update, sha512_final, sha512_cleanup,
    seal, open_sealed, NULL,
};

/* the stores: one session, one prekey of each kind */

static int keep(Bytes *place, const uint8_t *data, size_t size) {
    place->data = realloc(place->data, size);
    place->size = size;
    memcpy(place->data, data, size);
    return 0;
}

static int give(const Bytes *place, signal_buffer **record, int missing) {
    if (!place->data) return missing;
    *record = signal_buffer_create(place->data, place->size);
    return 1;
}

static int load_session(signal_buffer **record, signal_buffer **mine, const signal_protocol_address *a, void *user) {
    return give(&((Device *) user)->session, record, 0);
}
static int devices(signal_int_list **sessions, const char *name, size_t size, void *user) { return 0; }
static int store_session(const signal_protocol_address *a, uint8_t *data, size_t size, uint8_t *mine, size_t mine_size,
                         void *user) {
    return keep(&((Device *) user)->session, data, size);
}
static int has_session(const signal_protocol_address *a, void *user) { return ((Device *) user)->session.data != NULL; }
static int drop_session(const signal_protocol_address *a, void *user) { return 0; }
static int drop_sessions(const char *name, size_t size, void *user) { return 0; }
static void nothing(void *user) {}

static int load_one_time(signal_buffer **record, uint32_t id, void *user) {
    return id == ONE_TIME_ID ? give(&((Device *) user)->one_time, record, SG_ERR_INVALID_KEY_ID) : SG_ERR_INVALID_KEY_ID;
}
static int load_signed(signal_buffer **record, uint32_t id, void *user) {
    return id == SIGNED_ID ? give(&((Device *) user)->signed_key, record, SG_ERR_INVALID_KEY_ID) : SG_ERR_INVALID_KEY_ID;
}
static int keep_key(uint32_t id, uint8_t *data, size_t size, void *user) { return 0; }
static int has_one_time(uint32_t id, void *user) { return ((Device *) user)->one_time.data != NULL; }
static int has_signed(uint32_t id, void *user) { return ((Device *) user)->signed_key.data != NULL; }
static int drop_one_time(uint32_t id, void *user) {
    Device *device = user;
    free(device->one_time.data);
    device->one_time.data = NULL;
    return 0;
}
static int drop_signed(uint32_t id, void *user) { return 0; }

static int own_identity(signal_buffer **public, signal_buffer **private, void *user) {
    Device *device = user;
    must(ec_public_key_serialize(public, ratchet_identity_key_pair_get_public(device->identity)));
    must(ec_private_key_serialize(private, ratchet_identity_key_pair_get_private(device->identity)));
    return 0;
}
static int own_registration(void *user, uint32_t *id) {
    *id = REGISTRATION_ID;
    return 0;
}
static int keep_identity(const signal_protocol_address *a, uint8_t *data, size_t size, void *user) { return 0; }
static int trusts(const signal_protocol_address *a, uint8_t *data, size_t size, void *user) { return 1; }

static Device *new_device(void) {
    Device *device = calloc(1, sizeof *device);
    signal_protocol_session_store sessions = {load_session, devices, store_session, has_session,
                                              drop_session, drop_sessions, nothing, device};
    signal_protocol_pre_key_store ones = {load_one_time, keep_key, has_one_time, drop_one_time, nothing, device};
    signal_protocol_signed_pre_key_store signeds = {load_signed, keep_key, has_signed, drop_signed, nothing, device};
    signal_protocol_identity_key_store ids = {own_identity, own_registration, keep_identity, trusts, nothing, device};
    must(signal_protocol_key_helper_generate_identity_key_pair(&device->identity, library));
    must(signal_protocol_store_context_create(&device->store, library));
    must(signal_protocol_store_context_set_session_store(device->store, &sessions));
    must(signal_protocol_store_context_set_pre_key_store(device->store, &ones));
    must(signal_protocol_store_context_set_signed_pre_key_store(device->store, &signeds));
    must(signal_protocol_store_context_set_identity_key_store(device->store, &ids));
    must(session_cipher_create(&device->cipher, device->store, &PEER, library));
    return device;
}

static void make_prekeys(Device *device) {
    signal_buffer *record;
    ec_key_pair *pair;
    must(signal_protocol_key_helper_generate_signed_pre_key(&device->signed_record, device->identity, SIGNED_ID, 0,
                                                            library));
    must(session_signed_pre_key_serialize(&record, device->signed_record));
    keep(&device->signed_key, signal_buffer_data(record), signal_buffer_len(record));
    signal_buffer_free(record);
    must(curve_generate_key_pair(library, &pair));
    must(session_pre_key_create(&device->one_time_record, ONE_TIME_ID, pair));
    must(session_pre_key_serialize(&record, device->one_time_record));
    keep(&device->one_time, signal_buffer_data(record), signal_buffer_len(record));
    signal_buffer_free(record);
}

static int start(Device *device, session_pre_key_bundle *bundle) {
    session_builder *builder;
    must(session_builder_create(&builder, device->store, &PEER, library));
    int result = session_builder_process_pre_key_bundle(builder, bundle);
    session_builder_free(builder);
    return result;
}

static int decrypt(Device *device, int kind, const uint8_t *body, size_t size, signal_buffer **text) {
    int result;
    if (kind == CIPHERTEXT_PREKEY_TYPE) {
        pre_key_signal_message *message;
        if ((result = pre_key_signal_message_deserialize(&message, body, size, library)) < 0) return result;
        result = session_cipher_decrypt_pre_key_signal_message(device->cipher, message, NULL, text);
        SIGNAL_UNREF(message);
    } else {
        signal_message *message;
        if ((result = signal_message_deserialize(&message, body, size, library)) < 0) return result;
        result = session_cipher_decrypt_signal_message(device->cipher, message, NULL, text);
        SIGNAL_UNREF(message);
    }
    return result;
}

/* lines of words */

static void put(const uint8_t *data, size_t size) {
    putchar(' ');
    if (!size) putchar('-');
    for (size_t i = 0; i < size; i++) printf("%02x", data[i]);
}

static void put_key(const ec_public_key *key) {
    signal_buffer *bytes;
    must(ec_public_key_serialize(&bytes, key));
    put(signal_buffer_data(bytes), signal_buffer_len(bytes));
    signal_buffer_free(bytes);
}

static char *word(void) {
    char *found = strtok(NULL, " \n");
    return found ? found : "-";
}

static Bytes bytes(void) {
    const char *text = word();
    Bytes found = {malloc(strlen(text) / 2 + 1), strcmp(text, "-") ? strlen(text) / 2 : 0};
    for (size_t i = 0; i < found.size; i++) sscanf(text + 2 * i, "%2hhx", &found.data[i]);
    return found;
}

static ec_public_key *key(void) {
    Bytes found = bytes();
    ec_public_key *public = NULL;
    if (found.size) must(curve_decode_point(&public, found.data, found.size, library));
    free(found.data);
    return public;
}

static int say_bundle(Device *device) {
    make_prekeys(device);
    printf("ok %d", REGISTRATION_ID);
    put_key(ratchet_identity_key_pair_get_public(device->identity));
    printf(" %d", SIGNED_ID);
    put_key(ec_key_pair_get_public(session_signed_pre_key_get_key_pair(device->signed_record)));
    put(session_signed_pre_key_get_signature(device->signed_record),
        session_signed_pre_key_get_signature_len(device->signed_record));
    printf(" %d", ONE_TIME_ID);
    put_key(ec_key_pair_get_public(session_pre_key_get_key_pair(device->one_time_record)));
    return 0;
}

static int take_start(Device *device) {
    session_pre_key_bundle *bundle;
    uint32_t registration = (uint32_t) atol(word());
    ec_public_key *identity = key();
    uint32_t signed_id = (uint32_t) atol(word());
    ec_public_key *signed_key = key();
    Bytes signature = bytes();
    uint32_t one_time_id = (uint32_t) atol(word());
    ec_public_key *one_time = key();
    must(session_pre_key_bundle_create(&bundle, registration, 1, one_time_id, one_time, signed_id, signed_key,
                                       signature.data, signature.size, identity));
    int result = start(device, bundle);
    if (result >= 0) printf("ok");
    return result;
}

static int take_encrypt(Device *device) {
    ciphertext_message *message;
    Bytes text = bytes();
    int result = session_cipher_encrypt(device->cipher, text.data, text.size, &message);
    free(text.data);
    if (result < 0) return result;
    signal_buffer *whole = ciphertext_message_get_serialized(message);
    printf("ok %d", ciphertext_message_get_type(message));
    put(signal_buffer_data(whole), signal_buffer_len(whole));
    SIGNAL_UNREF(message);
    return 0;
}

static int take_decrypt(Device *device) {
    signal_buffer *text;
    int kind = atoi(word());
    Bytes body = bytes();
    int result = decrypt(device, kind, body.data, body.size, &text);
    free(body.data);
    if (result < 0) return result;
    printf("ok");
    put(signal_buffer_data(text), signal_buffer_len(text));
    signal_buffer_free(text);
    return 0;
}

static char *name(void) {
    Bytes found = bytes();
    found.data[found.size] = 0;
    return (char *) found.data;
}

static int make_fingerprint(fingerprint **made) {
    fingerprint_generator *generator;
    int version = atoi(word());
    char *our_id = name();
    ec_public_key *our_key = key();
    char *their_id = name();
    ec_public_key *their_key = key();
    must(fingerprint_generator_create(&generator, 5200, version, library));
    int result = fingerprint_generator_create_for(generator, our_id, our_key, their_id, their_key, made);
    fingerprint_generator_free(generator);
    free(our_id);
    free(their_id);
    SIGNAL_UNREF(our_key);
    SIGNAL_UNREF(their_key);
    return result;
}

static int say_fingerprint(void) {
    fingerprint *made;
    signal_buffer *code;
    int result = make_fingerprint(&made);
    if (result < 0) return result;
    must(scannable_fingerprint_serialize(&code, fingerprint_get_scannable(made)));
    printf("ok %s", displayable_fingerprint_text(fingerprint_get_displayable(made)));
    put(signal_buffer_data(code), signal_buffer_len(code));
    signal_buffer_free(code);
    SIGNAL_UNREF(made);
    return 0;
}

static int compare(void) {
    fingerprint *made;
    scannable_fingerprint *theirs;
    int result = make_fingerprint(&made);
    if (result < 0) return result;
    Bytes code = bytes();
    if ((result = scannable_fingerprint_deserialize(&theirs, code.data, code.size, library)) >= 0) {
        result = scannable_fingerprint_compare(fingerprint_get_scannable(made), theirs);
        SIGNAL_UNREF(theirs);
    }
    free(code.data);
    SIGNAL_UNREF(made);
    if (result >= 0) printf("ok %d", result);
    return result;
}

static void serve(void) {
    Device *device = new_device();
    char *line = malloc(LINE);
    while (fgets(line, LINE, stdin)) {
        const char *verb = strtok(line, " \n");
        int result = SG_ERR_INVAL;
        if (!strcmp(verb, "bundle")) result = say_bundle(device);
        else if (!strcmp(verb, "start")) result = take_start(device);
        else if (!strcmp(verb, "encrypt")) result = take_encrypt(device);
        else if (!strcmp(verb, "decrypt")) result = take_decrypt(device);
        else if (!strcmp(verb, "fingerprint")) result = say_fingerprint();
        else if (!strcmp(verb, "compare")) result = compare();
        if (result < 0) printf("error %d", result);
        putchar('\n');
        fflush(stdout);
    }
}

/* two devices in one process, timed by the CPU that they take */

static double now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

static ciphertext_message *write_100(Device *device) {
    static const uint8_t text[100] = {'x'};
    ciphertext_message *message;
    must(session_cipher_encrypt(device->cipher, text, sizeof text, &message));
    return message;
}

static void read_message(Device *device, ciphertext_message *message) {
    signal_buffer *text;
    signal_buffer *whole = ciphertext_message_get_serialized(message);
    must(decrypt(device, ciphertext_message_get_type(message), signal_buffer_data(whole), signal_buffer_len(whole), &text));
    signal_buffer_free(text);
    SIGNAL_UNREF(message);
}

static double start_two(Device **ours, Device **theirs) {
    session_pre_key_bundle *bundle;
    *ours = new_device();
    *theirs = new_device();
    make_prekeys(*theirs);
    session_signed_pre_key *signed_key = (*theirs)->signed_record;
    must(session_pre_key_bundle_create(
        &bundle, REGISTRATION_ID, 1, ONE_TIME_ID,
        ec_key_pair_get_public(session_pre_key_get_key_pair((*theirs)->one_time_record)), SIGNED_ID,
        ec_key_pair_get_public(session_signed_pre_key_get_key_pair(signed_key)),
        session_signed_pre_key_get_signature(signed_key), session_signed_pre_key_get_signature_len(signed_key),
        ratchet_identity_key_pair_get_public((*theirs)->identity)));
    double before = now_us();
    must(start(*ours, bundle));
    read_message(*theirs, write_100(*ours));
    return now_us() - before;
}

static void bench(int rounds) {
    enum { BATCH = 200 };
    Device *ours, *theirs;
    ciphertext_message *messages[BATCH];
    for (int i = 0; i < rounds; i++) printf("setup %f\n", start_two(&ours, &theirs));
    for (int i = 0; i < rounds; i++) {
        double before = now_us();
        read_message(ours, write_100(theirs));
        read_message(theirs, write_100(ours));
        printf("pingpong %f\n", (now_us() - before) / 2);
    }
    for (int i = 0; i < rounds; i++) {
        double before = now_us();
        for (int j = 0; j < BATCH; j++) messages[j] = write_100(ours);
        printf("encrypt %f\n", (now_us() - before) / BATCH);
        before = now_us();
        for (int j = 0; j < BATCH; j++) read_message(theirs, messages[j]);
        printf("decrypt %f\n", (now_us() - before) / BATCH);
    }
}

int main(int count, char **words) {
    must(signal_context_create(&library, NULL));
    must(signal_context_set_crypto_provider(library, &CRYPTO));
    if (count == 3 && !strcmp(words[1], "bench")) bench(atoi(words[2]));
    else serve();
    return 0;
}
