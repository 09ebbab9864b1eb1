"""Every check of `pushlab preflight`, as data: what it holds, what a failure means, and what to do about it.

Words of CallManager's administration pages are those of CallManager 4 and Unified CM (emulator/callmanager has the same
ones); where the two differ, both are named. Sources as in docs/reference/models/README.md.
"""

from typing import Final

from harness.preflight.finding import Cause, Check, Result

_CSV: Final = (
    "Correct the list: Device > Phone, Find, shows the address and the description of each phone; RisPort70 and "
    "DeviceListX export the same"
)
_ENOUGH: Final = "A phone that is to be reset for its URL anyway needs nothing else. "
_RESET: Final = (
    "Device > Phone, Find, check the phones, Reset Selected, Reset. They take the URL up when they have started again"
)

CHECKS: Final = (
    Check(
        name="listed-once",
        about="phone",
        holds="the list names each phone and each address once",
        asks="nothing",
        source="CTX111368: one phone a directory number and address",
        causes=(
            Cause(
                name="address-twice",
                means="two phones are listed at one address: one of them would be paged in the other's place",
                do="Correct the address of {these} in the list",
                fix=_CSV + ".",
            ),
        ),
    ),
    Check(
        name="registered",
        about="phone",
        holds="CallManager has the phone registered, where the list says so (RisPort, DeviceListX)",
        asks="nothing",
        source="RISDOC (Status), CUAE (s of DeviceListX)",
        causes=(
            Cause(
                name="not-registered",
                means="the phone is not registered: no page can reach it",
                do="Bring {these} back to CallManager",
                fix="Device > Phone, Find: column Status. Is the phone on, on the network, and in use at all? If it is "
                "gone for good, take it off the list.",
            ),
            Cause(
                name="no-address",
                means="the list has no address for the phone: nobody can push to it",
                do="Complete the list with the address of {these}",
                fix=_CSV + ".",
            ),
        ),
    ),
    Check(
        name="reachable",
        about="phone",
        holds="something answers at the phone's address",
        asks="a TCP connection to port 80; where that is not answered, one ping, and where it is refused, one to "
        "port 443",
        source="RFC 1122, 3.2.2.1 and 4.2.2.13",
        causes=(
            Cause(
                name="absent",
                means="nothing answers there: the phone is off, has another address, or the network drops it all",
                do="Find {these}: nothing answers there",
                fix="Device > Phone, Find: is the phone registered, and at this address? If it is, let the network "
                "pass TCP port 80 from the gateway to the phone; if it is not, see to the phone, its cable and its "
                "switch port.",
            ),
            Cause(
                name="no-route",
                means="no router knows the way to this address, or the last one finds nobody there",
                do="Make a route to {these}",
                fix="Add a route from the gateway's network to the phones' subnet, or correct the address in the list.",
            ),
        ),
    ),
    Check(
        name="web-access",
        about="phone",
        holds="the phone's web server gives its information page: a push comes in by the same server",
        asks="GET /DeviceInformationX, /DeviceInformation where that is none, "
        "/CGI/Java/Serviceability?adapterX=device.statistics.device",
        source="CTX111243 (Web Access); XSI-6, POIP (pages)",
        causes=(
            Cause(
                name="refused",
                means="the address refuses port 80: the phone's web server is off, or it is no phone",
                do="Turn Web Access on for {these}",
                fix="Device > Phone, the phone, Product Specific Configuration, Web Access: Enabled; Save, Reset. Then "
                "ask again: if it still refuses, another device has the address.",
            ),
            Cause(
                name="silent",
                means="the address answers a ping but not port 80: Web Access is off, or TCP port 80 is blocked",
                do="Turn Web Access on for {these}",
                fix="Device > Phone, the phone, Product Specific Configuration, Web Access: Enabled; Save, Reset. If "
                "it is Enabled already, let firewalls pass TCP port 80 from the gateway to the phone.",
            ),
            Cause(
                name="secured-only",
                means="the phone answers by https alone, where this gateway does not push",
                do="Let {these} answer http",
                fix="Device > Phone, the phone, Product Specific Configuration, HTTPS Server: http and https Enabled; "
                "Save, Reset.",
            ),
            Cause(
                name="no-phone",
                means="something answers port 80 there that is no phone of the kind that can be paged",
                do="Find out what answers at the address of {these}",
                fix=_CSV + ". If the phone has this address, reset it.",
            ),
        ),
    ),
    Check(
        name="identity",
        about="phone",
        holds="the phone at the address is the one that is listed: device name and MAC address",
        asks="its information page",
        source="CTX111243: the gateway reads DN and MAC; POIP (HostName, MACAddress)",
        causes=(
            Cause(
                name="another-phone",
                means="another phone has this address now: pages for one would go to the other",
                do="Correct the list: another phone is at the address of {these}",
                fix=_CSV + ". Addresses that move need a list that is taken again (scheduled synchronisation).",
            ),
        ),
    ),
    Check(
        name="directory-number",
        about="phone",
        holds="the phone's directory number is the one that is listed",
        asks="its information page",
        source="CTX111243; POIP (phoneDN)",
        causes=(
            Cause(
                name="other-number",
                means="the phone has another number: a page to a number would go to the wrong place",
                do="Correct the directory number of {these}",
                fix="Device > Phone, the phone, Line [1]: is the number right there? If it is, correct the list; if it "
                "is not, correct the line, Save, Reset.",
            ),
            Cause(
                name="no-number",
                means="the phone has no line",
                do="Give {these} a line",
                fix="Device > Phone, the phone, Line [1] - Add a new DN; Save, Reset. Or correct the list.",
            ),
            Cause(
                name="shared",
                means="several phones have this number, as shared lines do: a page to it goes to all of them",
                do="Look at the shared number of {these}",
                fix="Call Routing > Route Plan Report (Route Plan > Route Plan Report in CallManager 4) shows which "
                "devices have the number.",
                stops=False,
            ),
        ),
    ),
    Check(
        name="model",
        about="phone",
        holds="the phone's model is the one that is listed",
        asks="its information page",
        source="POIP (modelNumber)",
        causes=(
            Cause(
                name="other-model",
                means="the phone was replaced by one of another model, or the list is wrong: what it can show and hear "
                "differs",
                do="Correct the model of {these} in the list",
                fix=_CSV + ".",
                stops=False,
            ),
        ),
    ),
    Check(
        name="firmware",
        about="phone",
        holds="phones of one model have one firmware",
        asks="its information page",
        source="POIP (appLoadID)",
        causes=(
            Cause(
                name="mixed",
                means="the phone has another firmware than most of its model: what was tried out on those says little "
                "of it",
                do="Bring {these} to the firmware {firmware}",
                fix="Device > Device Settings > Device Defaults (System > Device Defaults in CallManager 4) has the "
                "firmware of the model, Phone Load Name on the phone's page goes before it; then Reset.",
                stops=False,
            ),
        ),
    ),
    Check(
        name="authentication-url",
        about="phone",
        holds="the phone asks the wanted authentication URL (plain or secured)",
        asks="GET /NetworkConfigurationX, /NetworkConfiguration, "
        "/CGI/Java/Serviceability?adapterX=device.statistics.configuration",
        source="CTX111243 (the URL changes at the next reset); BERBEE, RANTS (AuthenticationURL)",
        causes=(
            Cause(
                name="stale",
                means="the phone still asks another URL: its questions miss the gateway",
                do="Reset {these}",
                fix=_RESET + ". If one still asks the old URL then: the phone's own Authentication Server (External "
                "Data Locations Information) goes before System > Enterprise Parameters, URL Authentication, and the "
                "Secured Authentication URL before both.",
            ),
            Cause(
                name="none",
                means="the phone has no authentication URL: it carries out whatever anybody pushes to it",
                do="Give {these} an authentication URL",
                fix="System > Enterprise Parameters, Phone URL Parameters, URL Authentication: {wanted_url}; Save. "
                "Then "
                + _RESET
                + ".",
            ),
        ),
    ),
    Check(
        name="authentication-name",
        about="phone",
        holds="the host in the authentication URL in force is an address, or a name that can be found",
        asks="the name of each URL once, at this machine's name servers; the phone's own are read from its page",
        source="UNIFIEDFX, UPLINX: an address rather than a name",
        causes=(
            Cause(
                name="unknown-name",
                means="the name {host} is not known: the phone can ask nobody, and refuses every push (error 4)",
                do="Enter an address instead of the name {host} for {these}",
                fix=_ENOUGH
                + "System > Enterprise Parameters, URL Authentication: write the address in place of the name, or "
                "add the name to DNS; Save. Then " + _RESET + ".",
            ),
            Cause(
                name="no-name-server",
                means="the URL has the name {host}, and the phone has no name server to ask: it refuses every push "
                "(error 4)",
                do="Enter an address instead of the name {host} for {these}",
                fix=_ENOUGH
                + "System > Enterprise Parameters, URL Authentication: write the address in place of the name, or "
                "give the phones a DNS server (DHCP option 6); Save. Then " + _RESET + ".",
            ),
        ),
    ),
    Check(
        name="authentication-server",
        about="phone",
        holds="whoever is named by the authentication URL in force answers",
        asks="each URL once: GET without user, password and device, which no server takes for a logon",
        source="XSI-6: without an answer the push ends with error 4",
        causes=(
            Cause(
                name="no-answer",
                means="{url} does not answer: the phone refuses every push (error 4)",
                do="Bring {url} up for {these}",
                fix=_ENOUGH
                + "Is the server on, does it listen at this port, and does the network let the phones' subnets "
                "through to it?",
            ),
            Cause(
                name="no-such-page",
                means="the server of {url} answers, but not with such a page: the phone refuses every push (error 4)",
                do="Correct the path of {url} for {these}",
                fix=_ENOUGH
                + "The gateway's is /cisco_auth/authenticate.html, CallManager's /CCMCIP/authenticate.asp or "
                "/ccmcip/authenticate.jsp: System > Enterprise Parameters, URL Authentication; Save. Then "
                + _RESET
                + ".",
            ),
        ),
    ),
    Check(
        name="audio",
        about="phone",
        holds="audio arrives at UDP port 32674 of the phone",
        asks="only with --active, at phones that it names: RTPRx, one second of silence, its StreamingStatistics page, "
        "RTPRx:Stop",
        source="CTX111243 (port 32674); XSI-5 (RTPRx); 79xx administration guides (Rcvr Packets)",
        causes=(
            Cause(
                name="blocked",
                means="the phone listened, and no packet came: UDP port 32674 is blocked on the way",
                do="Open UDP port 32674 to {these}",
                fix="Let firewalls and access lists pass UDP port 32674 from the gateway to the phones' subnet.",
            ),
            Cause(
                name="lossy",
                means="some packets did not arrive: a page would have gaps",
                do="Look for the loss on the way to {these}",
                fix="Look at the counters of the switch ports on the way, and at the quality of service of the voice "
                "VLAN.",
                stops=False,
            ),
            Cause(
                name="refused",
                means="the phone refused the push although its server said yes to the user: error {number}",
                do="See why {these} refused the push",
                fix="Error 4: the phone could not ask its authentication URL, or did not like the answer (69xx phones "
                "refuse answers with unusual header fields). Error 1: another stream is received already.",
            ),
            Cause(
                name="not-stopped",
                means="the phone did not say yes to RTPRx:Stop: it may listen still, and refuse the next page (error "
                "1)",
                do="Reset {these}",
                fix="Device > Phone, Find, the phone, Reset.",
            ),
        ),
    ),
    Check(
        name="multicast",
        about="subnet",
        holds="multicast reaches the subnet: one named phone of it hears the group",
        asks="only with --active and --multicast: RTPMRx, one second of silence to the group, StreamingStatistics, "
        "RTPRx:Stop",
        source="XSI-5 (RTPMRx); CTX111485",
        causes=(
            Cause(
                name="blocked",
                means="the phone joined the group {group}, and no packet came",
                do="Let multicast through to {subnet}",
                fix="On the routers between gateway and subnet: multicast routing (PIM) on both interfaces, and an "
                "IGMP querier where the switches snoop. Firewalls: UDP port 32674 to the group.",
            ),
            Cause(
                name="lossy",
                means="some packets to {group} did not arrive: a page would have gaps",
                do="Look for the loss on the way to {subnet}",
                fix="Look at the counters of the switch ports on the way, and at storm control for multicast.",
                stops=False,
            ),
        ),
    ),
    Check(
        name="association",
        about="phone",
        holds="CallManager's page authorises the push user for the phone",
        asks="only phones named by --dry-devices or --active: the phone's own question, with the right password",
        source="CTX111243 (Enable CTI Application Use, Device Association)",
        causes=(
            Cause(
                name="not-associated",
                means="CallManager authorises {user} for other phones, but not for this one",
                do="Associate {these} with {user}",
                fix="User > Global Directory, {user}, Device Association: filter, check the phones or Check All on "
                "Page, Update. Unified CM: User Management > End User, Device Association, Save Selected/Changes; of "
                "an Application User its Controlled Devices.",
            ),
        ),
    ),
    Check(
        name="push-user",
        about="site",
        holds="the push user is authorised there",
        asks="the same questions as `association`, at every named URL",
        source="CTX111243; WEBMAX (parameters)",
        causes=(
            Cause(
                name="refused",
                means="{user} is refused: no phone carries out a push in this name",
                do="Correct the push user {user} at {url}",
                fix="The password first: in CallManager User > Global Directory (User Management > Application User), "
                "{user}; at the gateway Operation > Voice Office > IP Phone. In CallManager also: Enable CTI "
                "Application Use is checked, the phones are under Device Association, and the account is not locked (3 "
                "wrong passwords, 30 minutes).",
            ),
            Cause(
                name="error",
                means="the page answers neither AUTHORIZED nor UN-AUTHORIZED: every phone takes that for a refusal",
                do="See to {url}",
                fix="`pushlab probe {url}` tells what is wrong with its answers.",
            ),
        ),
    ),
    Check(
        name="gateway-url",
        about="site",
        holds="the wanted authentication URL answers",
        asks="GET without user, password and device",
        source="CTX111243",
        causes=(
            Cause(
                name="no-answer",
                means="nobody answers: after the rollout no phone would carry out a push",
                do="Bring {url} up",
                fix="Start the gateway; let firewalls pass its port from the phones' subnets.",
            ),
            Cause(
                name="no-such-page",
                means="a server answers, but not with such a page",
                do="Correct the path of {url}",
                fix="The gateway's is /cisco_auth/authenticate.html.",
            ),
        ),
    ),
    Check(
        name="callmanager-url",
        about="site",
        holds="CallManager's authentication URL answers",
        asks="GET without user, password and device",
        source="CTX111243 (no match: redirected there)",
        causes=(
            Cause(
                name="no-answer",
                means="nobody answers: other applications' pushes fail, and so does the way back",
                do="Bring {url} up",
                fix="CallManager 4: the World Wide Web Publishing service. Unified CM: utils service restart Cisco "
                "Tomcat, at its command line.",
            ),
            Cause(
                name="no-such-page",
                means="a server answers, but not with such a page",
                do="Correct the path of {url}",
                fix="CallManager 4: /CCMCIP/authenticate.asp; Unified CM: /ccmcip/authenticate.jsp, in this case.",
            ),
        ),
    ),
    Check(
        name="certificate",
        about="site",
        holds="the secured authentication URL has a certificate in force, in its host's name",
        asks="a TLS handshake",
        source="UPLINX, UNIFIEDFX: phones prefer the secured URL, and fail by its certificate",
        causes=(
            Cause(
                name="no-answer",
                means="no TLS connection: phones that prefer the secured URL refuse every push",
                do="Bring {url} up",
                fix="Start the server; or put the plain URL into Secured Authentication URL as well, so that no phone "
                "needs TLS.",
            ),
            Cause(
                name="expired",
                means="the certificate is out of date: phones refuse it, and so every push",
                do="Renew the certificate of {url}",
                fix="Unified CM: Cisco Unified OS Administration > Security > Certificate Management, tomcat, "
                "Regenerate (or a new request); restart Cisco Tomcat and Cisco Trust Verification Service; reset the "
                "phones.",
            ),
            Cause(
                name="not-yet",
                means="the certificate is not in force yet, or a clock is wrong",
                do="Correct the clock of {url} or of this machine",
                fix="Cisco Unified OS Administration > Settings > NTP Servers, and this machine's own clock; then "
                "renew the certificate if it is still not in force.",
            ),
            Cause(
                name="other-name",
                means="the certificate is in another name: phones refuse it, and so every push",
                do="Make {url} and its certificate name the same host",
                fix="System > Enterprise Parameters, Secured Authentication URL: the host as the certificate names it; "
                "or a certificate with the host under Subject Alternative Name; reset the phones.",
            ),
            Cause(
                name="untrusted",
                means="the certificate is not from an authority in the file that was given",
                do="Give the phones the authority of {url}",
                fix="Cisco Unified OS Administration > Security > Certificate Management: upload it as tomcat-trust; "
                "restart Cisco Trust Verification Service, which phones ask; reset the phones.",
            ),
            Cause(
                name="soon",
                means="the certificate runs out within {days} days",
                do="Renew the certificate of {url} soon",
                fix="As for one that is out of date.",
                stops=False,
            ),
        ),
    ),
)
BY_NAME: Final = {check.name: check for check in CHECKS}


def fault(
    check: str,
    cause: str,
    subject: str,
    *,
    address: str = "",
    observed: str = "",
    wanted: str = "",
    why: str = "",
    **values: str,
) -> Result:
    """A check that failed by that cause; a fault or a remark, as the cause says.

    Args:
        check: its name.
        cause: name of one of its causes.
        subject: as in `Result`.
        address: as in `Result`.
        observed: as in `Result`.
        wanted: as in `Result`.
        why: one sentence about this very finding; empty: what the cause means.
        values: for the braces.
    """
    known = BY_NAME[check].cause(cause)
    pairs = tuple(sorted(values.items()))
    return Result(
        check=check,
        subject=subject,
        address=address,
        word="fault" if known.stops else "remark",
        cause=cause,
        why=why or filled(known.means, values),
        observed=observed,
        wanted=wanted,
        values=pairs,
    )


def filled(text: str, values: dict[str, str]) -> str:
    """A text with its braces filled in; values are not read for braces themselves."""
    for name, value in values.items():
        text = text.replace("{" + name + "}", value)
    return text
