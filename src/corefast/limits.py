"""Every bound of the system, with its unit and its reason."""

# ── frames and links ───────────────────────────────────────────────────────────────────────────────────────────────

MAX_MESSAGE_BYTES = 1_048_576
"""Bytes of one message after its fragments are joined: a hundred envelopes of the largest size."""

MAX_HANDSHAKE_BYTES = 1_024
"""Bytes of one handshake message; ours are under 200."""

LINK_WINDOW_BYTES = 4_194_304
"""Bytes a peer may send that we have not consumed; the rest waits on its side."""

MAX_LINK_OUTBOX_BYTES = 16_777_216
"""Bytes queued toward a slow peer before its link is cut."""

MAX_OPEN_CALLS = 16_384
"""Calls one side of a link may have unanswered."""

HANDSHAKE_TIMEOUT_MS = 10_000
KEEPALIVE_INTERVAL_MS = 15_000
KEEPALIVE_DEADLINE_MS = 45_000
"""A link that brought nothing for three intervals is dead (a silent drop has no FIN)."""

CALL_TIMEOUT_MS = 30_000

# ── the ratchet (libsignal's consts.rs) ────────────────────────────────────────────────────────────────────────────

MAX_MESSAGE_GAP = 25_000
"""Messages a peer may skip in one chain: bounds what a forged header can make us derive."""

MAX_SKIPPED_KEYS = 2_000
"""Skipped message keys kept a chain, newest first."""

MAX_RECEIVER_CHAINS = 5
MAX_ARCHIVED_SESSIONS = 40
MAX_ARCHIVED_BYTES = 524_288
"""Of all archived sessions with one device: 40 plain ones are 28,000, and one with all skipped keys is 432,000."""

CORE_SPARE_KEYS = 128
DEVICE_SPARE_KEYS = 8
"""Keys made ahead in idle moments (`endpoint.refill`): turns and new sessions that may come before the next one."""

# ── content ────────────────────────────────────────────────────────────────────────────────────────────────────────

MAX_TEXT_CHARACTERS = 4_096
"""The on-premises API's limit for text.body."""

MAX_BODY_CHARACTERS = 1_024
"""Of an interactive body, a caption, the name of a place."""

MAX_OPAQUE_CHARACTERS = 512
"""Of what a business gives with a message to get back with its statuses."""

MAX_READ_MARKS = 500
"""Messages that one mark of the business covers, newest first."""

MAX_CONTACT_CARDS = 100
MAX_BUTTONS = 3
MAX_SECTIONS = 10
MAX_LIST_ROWS = 10
"""Over all sections of a list."""

MAX_HEADER_CHARACTERS = 60
MAX_FOOTER_CHARACTERS = 60

MAX_TEMPLATE_BUTTONS = 10
MAX_TEMPLATE_BUTTON_CHARACTERS = 25
MAX_CODE_CHARACTERS = 15
"""Of a code that a button copies."""

MAX_PAYLOAD_CHARACTERS = 256
"""Of what a quick reply sends back."""

MAX_URL_CHARACTERS = 2_000
"""Of a template's button."""

MAX_PROFILE_NAME_CHARACTERS = 128
"""Of a business's name, which goes with each of its messages."""

MAX_PLAINTEXT_BYTES = 65_536
PLAINTEXT_BLOCK_BYTES = 160
"""Plaintexts are padded to multiples of this, so that a ciphertext's size says little."""

MAX_ENVELOPE_BYTES = 98_304
"""Bytes of one ciphertext at the relay (Signal's server: 96 KiB)."""

# ── resending ──────────────────────────────────────────────────────────────────────────────────────────────────────

MAX_RESENDS = 3
"""How often one message is encrypted once more for one device that could not read it."""

RESEND_REQUESTS = 8
"""Requests to one peer in an hour, each later than the one before by twice as much; and new sessions for them: one."""

MAX_RESEND_ANSWERS = 16
"""Requests of one peer in an hour that are looked at."""

MAX_GROUP_MEMBERS = 256
"""Members of a group besides its founder."""

MAX_GROUPS = 10_000
"""Groups of one account, and those that a phone keeps."""

MAX_SUBJECT_CHARACTERS = 128
"""Characters of a group's subject."""

MAX_GROUPS_OF_FOUNDER = 100
"""Groups that one phone may bring us into."""

MAX_WAITING_BROADCASTS = 1_000
"""Messages to groups, and changes of them, that wait for their turn."""

GROUP_TAG_BYTES = 8_192
"""What a group's message may have besides the words: the key of its author and the longest roster."""

MAX_RESEND_IDS = 256
"""Ids in one request, and messages of one peer that are asked for at a time."""

MAX_OPEN_ASKS = 10_000
"""Messages asked for, of all peers, that have not come; further ones stay unreadable."""

# ── the relay ──────────────────────────────────────────────────────────────────────────────────────────────────────

MESSAGE_TTL_MS = 30 * 86_400_000
"""How long the relay keeps an envelope before it reports `expired`."""

DIRECT_WAIT_MS = 20
"""How long an envelope that was forwarded to a drained device waits for its ack before it is written."""

MAX_UNACKED_ITEMS = 1_024
"""Mailbox items in flight to one connection (nsq's RDY)."""

MAX_UNACKED_BYTES = 2_097_152

MAX_MAILBOX_ITEMS = 1_000_000
MAX_MAILBOX_BYTES = 1_073_741_824

MAX_UNANSWERED_POSTS = 4_096
"""Posts a core may have without a result."""

MAX_DEVICES = 6
"""Devices of a number: each message to it is encrypted this many times."""

MAX_DEVICE_ID = 127
"""The highest number a device can have (libsignal's). None is given twice, so an account links this often at most."""

DEVICE_LIFE_MS = 45 * 86_400_000
"""A linked device that was away this long is unlinked; its messages expired long ago."""

SLOT_LIFE_MS = 600_000
"""How long the code of a first device may be used."""

MAX_SLOTS = 10_000
"""Slots open at a time, some 4 KiB each at worst; one a number."""

MAX_SLOT_MESSAGE_BYTES = 32_768
"""Bytes of what a first device hands over: its identity, and the identities of the peers it knows."""

MAX_HANDED_PEERS = 256
"""Identities of peers that a first device hands over."""

MAX_ONE_TIME_PREKEYS = 1_000
"""Stored a device and kind."""

PREKEY_STOCK = 100
PREKEY_FLOOR = 25
KEM_PREKEY_STOCK = 20
KEM_PREKEY_FLOOR = 5
SIGNED_PREKEY_LIFE_MS = 7 * 86_400_000
SIGNED_PREKEY_GRACE_MS = 30 * 86_400_000
"""An old signed prekey still opens messages that waited a whole TTL."""

BUNDLE_BURST = 6
BUNDLE_REFILL_PER_S = 1 / 600
"""Prekey fetches for one (caller, target) pair (Signal's server); operators raise it for a bulk sender."""

POST_BURST = 60
POST_REFILL_PER_S = 1.0
"""Posts of one phone (Signal's server); cores are exempt."""

LOOKUP_BURST = 1_000
LOOKUP_REFILL_PER_S = 0.25
"""Numbers that one phone may ask for, registered or not (Signal's server)."""

CODE_LIFE_MS = 600_000
CODE_TRIES = 5

# ── media ──────────────────────────────────────────────────────────────────────────────────────────────────────────

MAX_MEDIA_BYTES = 104_857_600
"""Of one file in clear (the on-premises API's ceiling)."""

MAX_BLOB_BYTES = MAX_MEDIA_BYTES + 32
"""The same encrypted: padded to 16 bytes, and its MAC."""

BLOB_CHUNK_BYTES = 65_536
"""A piece of a file on a link."""

BLOB_LIFE_MS = 30 * 86_400_000
"""How long the relay keeps a file at least: as long as the message that names it may wait."""

BLOB_SLACK_MS = 86_400_000
"""A file's owner asks for more time once a day at most."""

BLOB_IDLE_MS = 60_000
"""An upload that brings nothing for so long is forgotten."""

BLOB_FREE_BYTES = 268_435_456
"""Left free on a disk that takes files: the relay's database may be there too."""

MAX_UPLOADS = 256
MAX_UPLOADS_OF_ONE = 4
"""Of one phone's number at a time."""

MAX_READS = 16
"""Pieces that one connection may ask for at a time."""

BLOB_BURST = 100
BLOB_REFILL_PER_S = 0.1
"""Files that one phone may put; cores are exempt."""

BLOB_READ_BURST = 8_192
BLOB_READ_REFILL_PER_S = 64.0
"""Pieces that one phone may read: 512 MB at once, then 4 MB a second."""

MAX_LINK_CHARACTERS = 2_048
LINK_TIMEOUT_MS = 25_000
"""For all of a file behind a link: the send that names it waits meanwhile."""

LINKS_AT_A_TIME = 16
MAX_LINKS_OPEN = 256
"""Different links of one account that are fetched, or wait for that."""

LINK_CACHE_MS = 600_000
MAX_LINKS_CACHED = 10_000
"""Links whose file is known, so that a campaign fetches it once."""

MAX_OPEN_MEDIA = 256
"""Files that fronts put or read at a time, some 600 KiB each at worst."""

MAX_FILENAME_CHARACTERS = 240

# ── the core ───────────────────────────────────────────────────────────────────────────────────────────────────────

MAX_LANE_MESSAGES = 10_000
"""Accepted messages of one peer that wait for the relay."""

MAX_WAITING_MESSAGES = 1_000_000
"""Accepted messages of one core that wait for the relay; above it a send is 503/1016."""

MAX_CACHED_SESSIONS = 100_000

EVENT_LIFE_MS = 7 * 86_400_000
MAX_EVENTS = 1_000_000
"""Without a webhook, events are kept this long or this many."""

IDEMPOTENCY_LIFE_MS = 24 * 3_600_000
MAX_IDEMPOTENCY_KEY_CHARACTERS = 255

MAX_ACCOUNTS = 256
"""Business numbers of one core: each keeps a link to the relay."""

MAX_TEMPLATES = 10_000
"""Of one account; each is kept in memory."""

MAX_TEMPLATE_BYTES = 16_384
MAX_TEMPLATE_PAGE_BYTES = 524_288
"""Templates listed in one answer, at the most one page."""

MAX_IMPORT_BYTES = 524_288
MAX_IMPORTED_TEMPLATES = 1_000
"""Of one request: an export of the Cloud API has about 1 KB for each."""

CONTACT_LIFE_MS = 7 * 86_400_000
CONTACT_MISS_MS = 60_000
"""How long it is remembered that a number is, or is not, registered: who was not may be in a minute."""

MAX_CONTACTS = 1_000
"""Numbers in one look-up."""

MAX_CONTACT_CHECKS = 10_000
"""Numbers of one account that are being asked for."""

MAX_KNOWN_CONTACTS = 100_000

MAX_API_KEYS = 10_000
MAX_USERS = 10_000

# ── the front ──────────────────────────────────────────────────────────────────────────────────────────────────────

MAX_BODY_BYTES = 131_072
"""A JSON body of the API; media has its own path."""

MAX_JSON_DEPTH = 64
KEY_CACHE_MS = 500
MAX_WAIT_MS = 60_000
"""The longest a poll for events may wait."""

MAX_PAGE = 1_000

MAX_HEAD_BYTES = 32_768
"""Request line and headers of one HTTP request."""

MAX_DISCARDED_BODY_BYTES = 8_388_608
"""What we read and drop of a body that was answered 413 already, so that its sender sees the answer."""

HTTP_READ_TIMEOUT_MS = 10_000
"""A request has this long to arrive, head and body; a slow one holds a socket and nothing else."""

HTTP_PAUSE_TIMEOUT_MS = 60_000
"""A file that is put may take its time, but not stop for so long."""

HTTP_KEEP_ALIVE_S = 30
MAX_HTTP_CONNECTIONS = 8_192
MAX_KEY_CHECKS = 64
"""Unknown API keys one front asks its core about at a time; known ones are never held up by them."""

MAX_KNOWN_KEYS = 10_000
MAX_POLLS = 2_048
"""Polls for events one front has open: each holds a call on the link to the core."""

# ── webhooks ───────────────────────────────────────────────────────────────────────────────────────────────────────

WEBHOOK_TIMEOUT_MS = 15_000
WEBHOOK_CONCURRENCY = 24
WEBHOOK_HOLD_MS = 60_000
"""How long a failing delivery holds its conversation back before it is parked."""

WEBHOOK_SCHEDULE_MS = (
    0,
    5_000,
    300_000,
    1_800_000,
    7_200_000,
    18_000_000,
    36_000_000,
    50_400_000,
    72_000_000,
    86_400_000,
)
"""Attempts after a first failure (Standard Webhooks); then the dead-letter list."""

MAX_WEBHOOK_ANSWER_BYTES = 65_536

# ── the store ──────────────────────────────────────────────────────────────────────────────────────────────────────

MAX_BATCH_UNITS = 4_096
"""Units of work in one transaction: bounds how long a commit can take, and what one failure takes with it."""

MAX_QUEUED_UNITS = 65_536
"""Units, and reads, that wait for the database before further ones are refused."""

MAX_STATEMENTS = 1_024
"""Prepared statements a connection keeps; SQL texts are constants, so more is a mistake."""

# ── settings ───────────────────────────────────────────────────────────────────────────────────────────────────────

MAX_SETTINGS_BYTES = 65_536
"""JSON of one account's settings: fields that nobody knows are kept, so their sum has to end somewhere."""

MAX_PROVIDERS = 100
MAX_PHOTO_BYTES = 5_242_880
PHOTO_PART_BYTES = 524_288
"""A photo crosses the gateway, and lies in the database, in pieces of this size."""

MAX_CERTIFICATE_BYTES = 65_536
MAX_BACKUP_BYTES = 262_144
SETTINGS_POLL_S = 1.0
"""How soon a core, a front or an emitter sees what was set through another one."""
