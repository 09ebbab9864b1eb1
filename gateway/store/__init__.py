"""What survives a restart: one SQLite database, secrets in it encrypted with a key that lies elsewhere."""

from gateway.store.cipher import Cipher, KeyFileError
from gateway.store.database import Database, StoreError, StoreTakenError

__all__ = ["Cipher", "Database", "KeyFileError", "StoreError", "StoreTakenError"]
