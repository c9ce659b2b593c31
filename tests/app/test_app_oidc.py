"""Signing in with an OpenID Connect provider, in a real browser, against a provider of its own."""

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from medclassify.records import Role
from medclassify.review import Accounts, ReviewStore

pytest.importorskip("authlib")
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(300)]
Serve = Callable[..., tuple[str, "subprocess.Popen[str]"]]
expect.set_options(timeout=60_000)

SECRETS = """[auth]
redirect_uri = "http://127.0.0.1:{{port}}/oauth2callback"
cookie_secret = "a secret of the page's own, 32 characters"
client_id = "medclassify"
client_secret = "a-secret-of-the-client"
server_metadata_url = "http://127.0.0.1:{provider}/.well-known/openid-configuration"
"""


@pytest.fixture(scope="module")
def provider() -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(Path(__file__).with_name("provider.py")), str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    yield port
    process.terminate()
    process.communicate(timeout=60)


@pytest.fixture(scope="module")
def address(build_run: Callable[..., Path], serve: Serve, provider: int, tmp_path_factory: pytest.TempPathFactory) -> str:
    run = build_run()
    accounts = Accounts(ReviewStore(run / "reviews.sqlite"))
    accounts.add("Dr Eve", [Role.READER], oidc="eve@hospital.example")
    accounts.add("Dr Aud", [Role.AUDITOR], oidc="subject-7")
    folder = tmp_path_factory.mktemp("started-here")
    (folder / ".streamlit").mkdir()
    (folder / ".streamlit" / "secrets.toml").write_text(SECRETS.format(provider=provider))
    return serve(run, cwd=folder)[0]


def enter(page: Page, **facts: str) -> None:
    """From the page's way in to the provider's form and back."""
    page.get_by_role("button", name="Sign in with your organisation").click()
    expect(page.get_by_role("heading", name="The provider")).to_be_visible()
    for name, value in facts.items():
        page.locator(f"input[name={name}]").fill(value)
    page.get_by_role("button", name="Enter").click()


def test_a_reader_is_known_by_a_verified_address_signs_out_and_is_asked_again(address: str, page: Page) -> None:
    page.goto(address)
    enter(page, sub="1", email="eve@hospital.example")
    expect(page.get_by_text("Dr Eve · reader")).to_be_visible()
    expect(page.get_by_role("button", name="Begin reading")).to_be_visible()
    expect(page.get_by_role("button", name="Export")).to_have_count(0)
    page.wait_for_timeout(1000)
    page.reload()
    expect(page.get_by_text("Dr Eve · reader")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in with your organisation")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Sign in with your organisation")).to_be_visible()
    expect(page.get_by_text("Dr Eve")).to_have_count(0)
    enter(page, sub="subject-7")  # somebody else at the same screen
    expect(page.get_by_text("Dr Aud · auditor")).to_be_visible()
    expect(page.get_by_role("button", name="Export")).to_be_visible()


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"sub": "9", "email": "mallory@hospital.example"}, "no account has the identity 9, mallory@hospital.example."),
        ({"sub": "9", "email": "eve@hospital.example", "email_verified": "false"}, "no account has the identity 9."),
        ({"sub": "subject-7", "seconds_ago": "3600"}, "your sign-in with your organisation is older than 30 minutes."),
    ],
)
def test_who_has_no_account_or_an_old_token_is_refused_in_one_line(
    address: str, page: Page, facts: dict[str, str], told: str
) -> None:
    page.goto(address)
    enter(page, **facts)
    expect(page.get_by_text(told)).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(1)
    expect(page.get_by_role("button", name="Begin reading")).to_have_count(0)
    page.get_by_role("button", name="Sign out of your organisation").click()
    expect(page.get_by_text(told)).to_have_count(0)
    expect(page.get_by_role("button", name="Sign in with your organisation")).to_be_visible()
