"""Imports that must happen while the component is built: at run time there are no files to import from.

Parts of the standard library that plugins use, and those that the library itself would only load on first use.
"""

import _strptime
import base64
import bisect
import calendar
import collections
import csv
import datetime
import decimal
import difflib
import encodings.ascii
import encodings.cp1252
import encodings.idna
import encodings.latin_1
import encodings.utf_8_sig
import encodings.utf_16
import encodings.utf_16_be
import encodings.utf_16_le
import fractions
import functools
import gzip
import hashlib
import heapq
import hmac
import html
import html.parser
import io
import itertools
import locale
import math
import mimetypes
import numbers
import operator
import pprint
import random
import re
import secrets
import statistics
import string
import struct
import tempfile
import textwrap
import traceback
import unicodedata
import urllib.parse
import uuid
import xml.etree.ElementTree
import zipfile
import zlib
