"""Alerts to emulated phones over real sockets. Numbers such as M27 are rows of the list of faults."""

from __future__ import annotations

from pathlib import Path

import pytest
from alert_bed import GATEWAY, address, name, running

from emulator.phone.authentication import read_url
from gateway.alerts import AlertError, Priority, service
from gateway.cisco import Credentials
from gateway.inventory import Listed, Listing
from gateway.store import Database


async def test_a_text_is_shown_and_acknowledged_by_a_key(tmp_path: Path) -> None:
    async with running(tmp_path) as bed:
        await bed.gateway.phonebook.read()
        number = await bed.send(text="Fire in <B&C> “now”\nLeave", title="Alarm & more", prompt="Ward 'A'")
        view = await bed.outcomes(number, {"displayed": 3})
        assert {each.words for each in view.phones} == {"the phone fetched the alert"}
        await bed.until(lambda: bed.phone(1).screen)
        screen = bed.phone(1).screen
        assert screen is not None
        assert screen.kind == "CiscoIPPhoneText"
        assert screen.fields == {"Title": "Alarm & more", "Prompt": "Ward 'A'", "Text": "Fire in <B&C> “now”\nLeave"}
        assert [fields["Name"] for _, fields in screen.items] == ["Acknowledge", "Exit"]
        await bed.press(2, "Acknowledge")
        view = await bed.outcomes(number, {"displayed": 2, "acknowledged": 1})
        (pressed,) = [each for each in view.phones if each.acknowledged_s is not None]
        assert (pressed.phone, pressed.response, pressed.directory_number) == (name(2), "Acknowledge", "2002")
        assert pressed.words == '"Acknowledge" pressed at number 2002'
        await bed.until(lambda: (screen := bed.phone(2).screen) and screen.fields["Text"] == "Noted: Acknowledge")
        await bed.press(2, "Exit")
        assert bed.phone(2).screen is None
        kinds = {entry["phone"] for entry in bed.diary("alert.displayed")}
        assert kinds == {name(n) for n in (1, 2, 3)}
        (fact,) = bed.diary("alert.acknowledged")
        assert (fact["phone"], fact["response"], fact["directory_number"]) == (name(2), "Acknowledge", "2002")
        # With `in-flight` only phones that are pushed to are authorised: an alert's pushes are known there.
        answers = [entry for entry in bed.diary("authentication.answered") if entry["witness"] == "gateway"]
        assert [entry["answer"] for entry in answers] == ["authorized"] * 3


async def test_a_busy_phone_shows_a_normal_alert_when_it_is_idle_again(tmp_path: Path) -> None:
    async with running(tmp_path, phones=2) as bed:
        assert bed.fleet.happen(bed.phone(1), "call")
        number = await bed.send(priority=Priority.NORMAL)
        await bed.outcomes(number, {"displayed": 1, "pushed": 1})
        assert bed.phone(1).screen is None
        assert bed.fleet.happen(bed.phone(1), "hang-up")
        await bed.outcomes(number, {"displayed": 2})


async def test_a_busy_phone_shows_an_emergency_at_once(tmp_path: Path) -> None:
    async with running(tmp_path, phones=1) as bed:
        assert bed.fleet.happen(bed.phone(1), "call")
        await bed.outcomes(await bed.send(), {"displayed": 1})


async def test_a_background_alert_is_only_in_the_phones_list(tmp_path: Path) -> None:
    async with running(tmp_path, phones=2) as bed:
        quiet = await bed.send(text="Canteen: soup", priority=Priority.BACKGROUND, phones=(name(1),))
        loud = await bed.send(text="Fire", title="Alarm", phones=(name(1),))
        await bed.outcomes(loud, {"displayed": 1})
        await bed.outcomes(quiet, {"listed": 1})
        assert bed.fleet.status()["pushes"] == 1
        listed = await bed.get(f"/alerts?locale=de&name={name(1)}")
        assert listed.index(b"Alarm: Fire") < listed.index(b"Alert: Canteen: soup")
        assert listed.count(b"<MenuItem>") == 2
        url = listed.rpartition(b"/alerts/")[2].partition(b"<")[0].decode()
        assert b"<Text>Canteen: soup</Text>" in await bed.get(f"/alerts/{url}")
        await bed.outcomes(quiet, {"displayed": 1})
        # Another phone's list is not given, whatever name is in the question.
        others = await bed.get(f"/alerts?name={name(1)}", source=address(2))
        assert b"No alerts." in others


async def test_a_withdrawn_alert_is_replaced_where_it_may_be_on_the_screen(tmp_path: Path) -> None:
    async with running(tmp_path) as bed:
        number = await bed.send()
        await bed.outcomes(number, {"displayed": 3})
        await bed.press(3, "Acknowledge")
        await bed.outcomes(number, {"displayed": 2, "acknowledged": 1})
        view = await bed.gateway.alerts.withdraw(number)
        assert view.state == "withdrawn"
        for phone in (1, 2):
            await bed.until(
                lambda phone=phone: (screen := bed.phone(phone).screen)
                and screen.fields["Text"] == "This alert was withdrawn."
            )
        assert bed.fleet.status()["pushes"] == 5  # the third has gone on
        (ended,) = bed.diary("alert.ended")
        assert (ended["reason"], ended["outcomes"]) == ("withdrawn", {"displayed": 2, "acknowledged": 1})


async def test_an_expired_alert_is_over_for_phones_and_people(tmp_path: Path) -> None:
    async with running(tmp_path, phones=1) as bed:
        number = await bed.send()
        await bed.outcomes(number, {"displayed": 1})
        await bed.until(lambda: bed.phone(1).screen)
        path = bed.phone(1).screen.items[0][1]["URL"].partition("/alerts/")[2]  # type: ignore[union-attr]
        bed.gateway.alerts._clock = lambda clock=bed.gateway.alerts._clock: clock() + 3600.5
        assert b"This alert is over." in await bed.get(f"/alerts/{path.partition('/')[0]}")
        assert b"No alerts." in await bed.get("/alerts")
        assert (await bed.view(number)).state == "expired"
        await bed.until(lambda: bed.gateway.alerts._alerts[1].ended_s is not None)
        # A key on a text that is still on the screen counts.
        assert b"Noted: Acknowledge" in await bed.get(f"/alerts/{path}")
        await bed.outcomes(number, {"acknowledged": 1})


async def test_c16_every_phone_has_its_outcome_in_words(tmp_path: Path) -> None:
    async with running(tmp_path, phones=2, absent=1) as bed:
        bed.phone(2).server = read_url(f"http://{GATEWAY}:{bed.port}/nowhere")
        await bed.gateway.phonebook.take(
            Listing(source="other", phones=[Listed(device_name=name(9), address="")], complete=False)
        )
        number = await bed.send()
        wanted = {"displayed": 1, "refused_authentication": 1, "indeterminate": 1, "left_out": 1}
        view = await bed.outcomes(number, wanted)
        words = {each.phone: each.words for each in view.phones}
        assert words[name(2)] == "the phone asked who may push and was told no"
        assert words[name(3)] == "the connection was lost before the phone answered: Connection reset by peer"
        assert words[name(9)] == "left out: its address is not known"
        assert bed.fleet.status()["pushes"] == 2  # refused for its credentials: not tried again


@pytest.mark.parametrize(("manner", "state"), [("hang", "timed_out"), ("garbage", "garbled")])
async def test_a_phone_whose_answer_is_lost_has_displayed_it_all_the_same(
    tmp_path: Path, manner: str, state: str
) -> None:
    async with running(tmp_path, phones=1, misbehaviours=[f"{manner}=1"], total_s=0.3) as bed:
        number = await bed.send()
        view = await bed.outcomes(number, {"displayed": 1})
        await bed.until(lambda: bed.gateway.alerts._alerts[1].recipients[name(1)].outcome is not None)
        assert bed.gateway.alerts._alerts[1].recipients[name(1)].outcome == state
        view = await bed.outcomes(number, {"displayed": 1})
        assert view.phones[0].words == "the phone fetched the alert"


async def test_a_phone_that_takes_the_push_and_cannot_fetch_is_not_displayed(tmp_path: Path) -> None:
    async with running(tmp_path, phones=1) as bed:
        bed.gateway._phone_port = (GATEWAY, 9)
        number = await bed.send()
        await bed.outcomes(number, {"pushed": 1})
        bed.gateway.alerts._clock = lambda clock=bed.gateway.alerts._clock: clock() + 11
        view = await bed.outcomes(number, {"not_displayed": 1})
        assert view.phones[0].words.startswith("not displayed within 10 s: the phone may not reach the gateway")


async def test_p17_an_alert_sent_twice_with_one_key_is_one_alert(tmp_path: Path) -> None:
    store = tmp_path / "store"
    with Database.open(store) as database:
        async with running(tmp_path, phones=2, database=database) as bed:
            first = await bed.send(key="a")
            assert [await bed.send(key="a"), await bed.send(key="b")] == [first, "2"]
            with pytest.raises(AlertError) as refused:
                await bed.send("another", key="a")
            assert refused.value.status == 409
            await bed.outcomes("2", {"displayed": 2})
    with Database.open(store) as database:
        async with running(tmp_path, phones=2, database=database) as bed:
            assert await bed.send(key="a") == first
            assert await bed.send() == "3"


async def test_an_alert_goes_on_after_a_restart_and_nobody_is_pushed_to_twice(tmp_path: Path) -> None:
    store = tmp_path / "store"
    with Database.open(store) as database:
        async with running(tmp_path, phones=2, absent=1, database=database) as bed:
            number = await bed.send()
            await bed.outcomes(number, {"displayed": 2, "indeterminate": 1})
            await bed.press(1, "Acknowledge")
            await bed.outcomes(number, {"displayed": 1, "acknowledged": 1, "indeterminate": 1})
    # As after a `kill -9` before the second phone's outcome was on disk.
    with Database.open(store) as database:
        database.write_now(
            lambda connection: connection.execute(
                "UPDATE alert_phone SET outcome = NULL, displayed_s = NULL WHERE device_name = ?", (name(2),)
            )
        )
        async with running(tmp_path, phones=2, absent=1, database=database) as bed:
            view = await bed.outcomes(number, {"displayed": 1, "acknowledged": 1, "indeterminate": 1})
            assert next(each for each in view.phones if each.phone == name(1)).response == "Acknowledge"
            assert bed.fleet.status()["pushes"] == 1
            # A key of before the restart works.
            token = bed.gateway.alerts._alerts[1].recipients[name(2)].token
            assert b"Noted" in await bed.get(f"/alerts/{token}/1")
            await bed.outcomes(number, {"acknowledged": 2, "indeterminate": 1})
    with Database.open(store) as database:
        async with running(tmp_path, phones=1, database=database) as bed:
            (kept,) = await bed.gateway.alerts.history()
            assert (kept.number, dict(kept.outcomes)) == (number, {"acknowledged": 2, "indeterminate": 1})
            assert bed.fleet.status()["pushes"] == 0


async def test_p3_an_alert_that_expired_while_the_gateway_was_away_is_not_sent(tmp_path: Path) -> None:
    with Database.open(tmp_path / "store") as database:
        async with running(tmp_path, phones=1, database=database) as bed:
            number = await bed.send(expires_s=10)
            await bed.outcomes(number, {"displayed": 1})
        database.write_now(
            lambda connection: connection.execute("UPDATE alert_phone SET outcome = NULL, displayed_s = NULL")
        )
        database.write_now(lambda connection: connection.execute("UPDATE alert SET created_s = created_s - 60"))
        async with running(tmp_path, phones=1, database=database) as bed:
            view = await bed.outcomes(number, {"not_sent": 1})
            assert (view.state, view.phones[0].words) == ("expired", "over before it was pushed")
            assert bed.fleet.status()["pushes"] == 0


async def test_p4_a_store_that_cannot_be_written_costs_no_alert(tmp_path: Path) -> None:
    with Database.open(tmp_path / "store") as database:
        async with running(tmp_path, phones=2, database=database) as bed:
            database._writer.execute("PRAGMA query_only = ON")
            number = await bed.send()
            await bed.outcomes(number, {"displayed": 2})
            alarms = {alarm.name for alarm in bed.gateway.alarms.active()}
            assert "alerts-not-kept" in alarms


async def test_what_is_not_about_alerts_is_answered_as_ever(tmp_path: Path) -> None:
    async with running(tmp_path, phones=1) as bed:
        number = await bed.send()
        await bed.outcomes(number, {"displayed": 1})
        token = bed.gateway.alerts._alerts[1].recipients[name(1)].token
        paths = ("/", "/alert", "/alertsx", "/alerts/", "/alerts//", "/alerts/x", f"/alerts/{token}/")
        more = (f"/alerts/{token}/2", f"/alerts/{token}/0", f"/alerts/{token}/1/", f"/alerts/{token[:-1]}", "/services")
        for path in (*paths, *more):
            assert (await bed.get(path)).startswith(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n"), path
        assert (await bed.get(f"/alerts/{token}/1", method="POST")).startswith(b"HTTP/1.1 404 ")
        assert (await bed.get(f"/alerts/{token}/1", source="127.21.0.1")).startswith(b"HTTP/1.1 403 ")
        assert (await bed.view(number)).outcomes == {"displayed": 1}
        answers = [entry["answer"] for entry in bed.diary("authentication.answered") if entry["witness"] == "gateway"]
        assert answers == ["authorized"] + ["rejected"] * 14


async def test_too_many_alerts_and_an_ending_gateway_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_ACTIVE", 1)
    async with running(tmp_path, phones=1) as bed:
        number = await bed.send()
        with pytest.raises(AlertError, match="1 alerts are active already: withdraw some") as refused:
            await bed.send()
        assert refused.value.status == 429
        await bed.gateway.alerts.withdraw(number)
        await bed.send()
        monkeypatch.setattr(service, "MAX_RECIPIENTS", 2)
        with pytest.raises(AlertError, match="active already"):
            await bed.send()
        monkeypatch.setattr(service, "MAX_ACTIVE", 9)
        with pytest.raises(AlertError, match="more than 2 phones"):
            await bed.send()
        bed.gateway.alerts.close()
        with pytest.raises(AlertError, match="the gateway is ending") as refused:
            await bed.send()
        assert refused.value.status == 503


async def test_b16_a_push_refused_while_credentials_change_is_sent_with_the_new_ones(tmp_path: Path) -> None:
    async with running(tmp_path, phones=1) as bed:
        pusher = bed.gateway.alerts._pusher
        right = pusher._settings.credentials()  # type: ignore[attr-defined]
        given = iter([Credentials(user="agpush", password="former")])
        object.__setattr__(pusher._settings, "credentials", lambda: next(given, right))  # type: ignore[attr-defined]
        await bed.outcomes(await bed.send(), {"displayed": 1})
        assert bed.fleet.status()["pushes"] == 2
        assert [entry["attempt"] for entry in bed.diary("push.ended") if entry["witness"] == "gateway"] == [1, 2]


async def test_what_is_over_for_long_is_read_from_the_store(tmp_path: Path) -> None:
    async with running(tmp_path, phones=2) as bed:
        number = await bed.send()
        await bed.outcomes(number, {"displayed": 2})
        token = bed.gateway.alerts._alerts[1].recipients[name(1)].token
        await bed.gateway.alerts.withdraw(number)
        bed.gateway.alerts._clock = lambda clock=bed.gateway.alerts._clock: clock() + 3601
        await bed.until(lambda: not bed.gateway.alerts._alerts)
        view = await bed.view(number)
        assert (view.state, dict(view.outcomes), len(view.phones)) == ("withdrawn", {"displayed": 2}, 2)
        (listed,) = await bed.gateway.alerts.history()
        assert (listed.number, dict(listed.outcomes), listed.phones) == (number, {"displayed": 2}, [])
        assert await bed.gateway.alerts.history(before=number) == []
        with pytest.raises(AlertError) as refused:
            await bed.gateway.alerts.withdraw(number)
        assert refused.value.status == 404
        assert (await bed.get(f"/alerts/{token}")).startswith(b"HTTP/1.1 404 ")
