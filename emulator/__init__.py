"""The world that a gateway meets: thousands of Cisco phone web servers, and CallManager."""
