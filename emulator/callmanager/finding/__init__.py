"""How programs find phones at CallManager: DeviceListX, RisPort70 and AXL."""
