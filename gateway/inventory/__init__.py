"""The phones: who they are, by list and by their own word, where they hang, and who belongs together."""

from gateway.inventory.entry import Entry, Listed, Listing
from gateway.inventory.phone_list import Phone, PhoneListError, load_phone_list
from gateway.inventory.phonebook import Found, Phonebook, Selection, SelectionError
from gateway.inventory.reading import Reader, Said
from gateway.inventory.sources import Source, SourceError
from gateway.inventory.synchronisation import Synchronisation
from gateway.inventory.zones import DistributionList, ZoneError, Zones, ZoneStore

__all__ = [
    "DistributionList",
    "Entry",
    "Found",
    "Listed",
    "Listing",
    "Phone",
    "PhoneListError",
    "Phonebook",
    "Reader",
    "Said",
    "Selection",
    "SelectionError",
    "Source",
    "SourceError",
    "Synchronisation",
    "ZoneError",
    "ZoneStore",
    "Zones",
    "load_phone_list",
]
