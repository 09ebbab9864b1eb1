"""The phones: who they are, by list and by their own word."""

from gateway.inventory.phone_list import Phone, PhoneListError, load_phone_list
from gateway.inventory.reading import Inventory, InventoryEntry

__all__ = ["Inventory", "InventoryEntry", "Phone", "PhoneListError", "load_phone_list"]
