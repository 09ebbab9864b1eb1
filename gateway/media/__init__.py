"""WAV to G.711 mu-law to RTP, paced by a process of its own."""
