"""`python -m api`: the REST front."""

import sys

from api.app import serve
from api.config import ApiConfig
from corefast import logs, process
from corefast.config import load


def read_settings() -> ApiConfig:
    settings = load(ApiConfig, "api", sys.argv[1:])
    logs.setup("api", settings.log_level)
    return settings


if __name__ == "__main__":
    sys.exit(process.run(lambda stop: serve(read_settings(), stop)))
