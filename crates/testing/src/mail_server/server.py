"""A mail server for tests: takes mails, keeps them as files, and refuses on demand.

    python server.py DIRECTORY [OPTION...]

Prints its port, and ends with its input. Of mail number N it writes N.eml, the bytes as they came, and N.json: the
envelope, and what a MIME parser reads in the message.

What it refuses is said by the local part of the recipient or of the sender: see REFUSALS.

Options:
    seven-bit       does not offer 8BITMIME
    no-utf8         does not offer SMTPUTF8
    starttls        offers STARTTLS, with a certificate of an authority of its own (DIRECTORY/authority.pem)
    other-name      has a certificate for another name than its own
    only-starttls   refuses everything without it
    smtps           speaks TLS from the first byte
    login           refuses who does not log in as USER with PASSWORD
    only-login      offers AUTH LOGIN only
    tls-login       offers AUTH after STARTTLS only
    forgetful       hangs up when asked whether it is still there (NOOP)
"""

import asyncio
import email
import email.policy
import json
import pathlib
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

USER, PASSWORD = b"habeas", b"correct horse"

REFUSALS = {
    "stranger": ("MAIL", "553 5.7.1 <{}>: not owned by you"),
    "unknown": ("RCPT", "550 5.1.1 <{}>: no such person"),
    "relay": ("RCPT", "550 5.1.1 <{}>: no such person"),
    "old": ("RCPT", "550 no such person: {}"),
    "elsewhere": ("RCPT", "554 5.7.1 <{}>: Relay access denied"),
    "greylisted": ("RCPT", "451 4.7.1 <{}>: come back later"),
    "unwanted": ("DATA", "554 5.7.1 {} wants no such mail"),
    "full": ("DATA", "452 4.2.2 {} has no space"),
    "dropped": ("DATA", None),
}

directory = pathlib.Path(sys.argv[1])
options = set(sys.argv[2:])
received = 0


def refusal(address, step):
    expected, answer = REFUSALS.get(address.split("@")[0], (None, None))
    return expected == step, answer.format(address) if answer else None


def text(part):
    return part.get_content().replace("\r\n", "\n")


class Handler:
    async def handle_MAIL(self, server, session, envelope, address, parameters):
        refused, answer = refusal(address, "MAIL")
        if refused:
            return answer
        envelope.mail_from = address
        envelope.mail_options = parameters
        return "250 OK"

    async def handle_RCPT(self, server, session, envelope, address, parameters):
        refused, answer = refusal(address, "RCPT")
        if refused:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_NOOP(self, server, session, envelope, argument):
        if "forgetful" in options:
            server.transport.abort()
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        global received
        for address in envelope.rcpt_tos:
            refused, answer = refusal(address, "DATA")
            if refused and answer is None:
                server.transport.abort()
            if refused:
                return answer or "451 hung up"
        received += 1
        content = envelope.original_content
        (directory / f"{received}.eml").write_bytes(content)
        message = email.message_from_bytes(content, policy=email.policy.default)
        parsed = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "options": envelope.mail_options,
            "encrypted": session.ssl is not None or "smtps" in options,
            "user": session.auth_data.decode() if session.authenticated else None,
            "greeting": session.host_name,
            "connection": session.peer[1],
            "headers": [[name, str(value)] for name, value in message.items()],
            "parts": [[part.get_content_type(), text(part)] for part in message.iter_parts()],
            "defects": [str(defect) for part in message.walk() for defect in part.defects],
        }
        draft = directory / "draft"
        draft.write_text(json.dumps(parsed))
        draft.rename(directory / f"{received}.json")
        return "250 2.0.0 taken"


def authenticate(server, session, envelope, mechanism, data):
    right = isinstance(data, LoginPassword) and (data.login, data.password) == (USER, PASSWORD)
    if not right:
        return AuthResult(success=False, handled=False)
    return AuthResult(success=True, auth_data=data.login)


def tls():
    # Takes longer to load than everything else together.
    import trustme

    authority = trustme.CA()
    authority.cert_pem.write_to_path(directory / "authority.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    name = "mail.example.test" if "other-name" in options else "127.0.0.1"
    authority.issue_cert(name).configure_cert(context)
    return context


async def main():
    context = tls() if options & {"starttls", "only-starttls", "smtps"} else None

    def connection():
        return SMTP(
            Handler(),
            decode_data="seven-bit" in options,
            enable_SMTPUTF8="no-utf8" not in options and "seven-bit" not in options,
            tls_context=None if "smtps" in options else context,
            require_starttls="only-starttls" in options,
            authenticator=authenticate,
            auth_required="login" in options,
            auth_require_tls="tls-login" in options,
            auth_exclude_mechanism=["PLAIN"] if "only-login" in options else [],
        )

    loop = asyncio.get_running_loop()
    wrapped = context if "smtps" in options else None
    server = await loop.create_server(connection, "127.0.0.1", 0, ssl=wrapped)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
