"""WAV to G.711 mu-law to RTP, paced by a process of its own."""

from gateway.media.announcement import TONES, assemble, bundled_tone, live_announcement
from gateway.media.audio import Audio, load_audio
from gateway.media.errors import AudioError, PacerError
from gateway.media.lasting_pacer import Fed, LastingPacer
from gateway.media.multicast import MulticastPool, RangeError, read_range
from gateway.media.pacer import Pacer, StreamStarted, StreamStopped

__all__ = [
    "TONES",
    "Audio",
    "AudioError",
    "Fed",
    "LastingPacer",
    "MulticastPool",
    "Pacer",
    "PacerError",
    "RangeError",
    "StreamStarted",
    "StreamStopped",
    "assemble",
    "bundled_tone",
    "live_announcement",
    "load_audio",
    "read_range",
]
