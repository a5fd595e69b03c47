"""`python -m api.webhooks`: the webhook emitter."""

import sys

from api.config import WebhooksConfig
from api.webhooks.app import emit
from corefast import logs, process
from corefast.config import load


def read_settings() -> WebhooksConfig:
    settings = load(WebhooksConfig, "webhooks", sys.argv[1:])
    logs.setup("webhooks", settings.log_level)
    return settings


if __name__ == "__main__":
    sys.exit(process.run(lambda stop: emit(read_settings(), stop)))
