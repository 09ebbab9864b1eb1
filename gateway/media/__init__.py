"""WAV to G.711 mu-law to RTP, paced by a process of its own."""

from gateway.media.audio import Audio, load_audio
from gateway.media.errors import AudioError, PacerError
from gateway.media.pacer import Pacer, StreamStarted, StreamStopped

__all__ = ["Audio", "AudioError", "Pacer", "PacerError", "StreamStarted", "StreamStopped", "load_audio"]
