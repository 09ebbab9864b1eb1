"""The pager with a bug: it forgets every third phone."""

import sys

from site_pager import addresses_in, options, page

given = options(sys.argv[1:])
addresses = addresses_in(given.phones)
sys.exit(1 if page([each for number, each in enumerate(addresses, 1) if number % 3], given) else 0)
