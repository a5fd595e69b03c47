"""wadebug: what it reads of a running system."""

import os

from wadebug.exceptions import WABizAuthError
from wadebug.wa_actions.wabiz_api import WABizAPI

API, PASSWORD, NUMBER = (os.environ[name] for name in ("API", "PASSWORD", "NUMBER"))
# It switches the proof of certificates off, whatever the environment says.
tool = WABizAPI(baseUrl=API, user="admin", password=PASSWORD)
assert tool.get_phone_number() == NUMBER
assert tool.get_support_info()["support"]["socket_conn"] == "UP"
assert isinstance(tool.get_webhook_url(), str)
assert tool.get_webhook_cert() is None
try:
    WABizAPI(baseUrl=API, user="admin", password="wrong")
    raise AssertionError("a wrong password")
except WABizAuthError:
    pass
print("done")
