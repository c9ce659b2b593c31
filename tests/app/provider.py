"""A small OpenID Connect provider for tests, a process of its own: ``python provider.py PORT``.

Whoever fills in its form is who the form says, signed in as long ago as the form says. Discovery, authorization code with
nonce, RS256 and the provider's own sign-out are as real ones do them.
"""

import base64
import html
import json
import secrets
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "medclassify", "a-secret-of-the-client"
KEY = RSAKey.generate_key(2048, {"kid": "test", "use": "sig", "alg": "RS256"}, private=True)
FIELDS = {"sub": "", "email": "", "email_verified": "true", "seconds_ago": "0"}
codes: dict[str, dict[str, str]] = {}


class Provider(BaseHTTPRequestHandler):
    """One request."""

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{cast(ThreadingHTTPServer, self.server).server_port}"

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(address.query).items()}
        if address.path == "/.well-known/openid-configuration":
            places = {name: f"{self.issuer}/{name.split('_')[0]}" for name in ("authorization_endpoint", "token_endpoint")}
            self.answer({
                "issuer": self.issuer, **places, "jwks_uri": f"{self.issuer}/keys",
                "end_session_endpoint": f"{self.issuer}/end", "response_types_supported": ["code"],
                "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"],
            })  # fmt: skip
        elif address.path == "/keys":
            self.answer({"keys": [KEY.as_dict(private=False)]})
        elif address.path == "/authorization":
            hidden = {name: asked.get(name, "") for name in ("redirect_uri", "state", "nonce", "client_id")}
            inputs = "".join(f'<input type=hidden name={name} value="{html.escape(value)}">' for name, value in hidden.items())
            inputs += "".join(f'<label>{name} <input name={name} value="{value}"></label>' for name, value in FIELDS.items())
            self.answer(f"<h1>The provider</h1><form action=/entered>{inputs}<button>Enter</button></form>")
        elif address.path == "/entered":
            code = secrets.token_urlsafe()
            codes[code] = asked
            self.redirect(asked["redirect_uri"] + "?" + urlencode({"code": code, "state": asked["state"]}))
        elif address.path == "/end":
            self.redirect(asked["post_logout_redirect_uri"])
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        code = parse_qs(body)["code"][0]
        client = base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode()
        if client not in (
            f"{CLIENT}:{SECRET}",
            f"{CLIENT}:{SECRET.replace(' ', '+')}",
            f"{CLIENT}:{SECRET.replace(' ', '%20')}",
        ):
            self.send_error(401)
            return
        asked = codes.pop(code)
        now = int(time.time()) - int(asked["seconds_ago"])
        claims = {
            "iss": self.issuer, "aud": CLIENT, "sub": asked["sub"], "nonce": asked["nonce"], "iat": now, "exp": now + 86_400,
            "email": asked.get("email", ""), "email_verified": asked["email_verified"] == "true",
        }  # fmt: skip
        token = jwt.encode({"alg": "RS256", "kid": "test"}, claims, KEY)
        self.answer({"access_token": "none", "token_type": "Bearer", "expires_in": 600, "id_token": token})

    def answer(self, what: object) -> None:
        page = isinstance(what, str)
        body = what.encode() if isinstance(what, str) else json.dumps(what).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html" if page else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def redirect(self, to: str) -> None:
        self.send_response(302)
        self.send_header("Location", to)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


if __name__ == "__main__":
    with ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Provider) as server:
        print("up", flush=True)
        server.serve_forever()
