"""The one tree of errors, a file for each area: each leaf has a stable code, a blame, and no secret in its text."""

from corefast.errors.access import *
from corefast.errors.account import *
from corefast.errors.blame import *
from corefast.errors.blob import *
from corefast.errors.group import *
from corefast.errors.link import *
from corefast.errors.media import *
from corefast.errors.message import *
from corefast.errors.number import *
from corefast.errors.protocol import *
from corefast.errors.request import *
from corefast.errors.store import *
from corefast.errors.template import *
