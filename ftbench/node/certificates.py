"""A federation's own certificate authority, and the SuperLink's certificate: what TLS asks for, and no more."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate, GeneralName, Name

AUTHORITY_DAYS = 5 * 365
"""An authority lasts longer than what it signs: sites hold its certificate, and need no other for a new SuperLink's."""
DAYS = 365
LEFT = timedelta(days=30)
"""A certificate that ends sooner is made anew where somebody opens a federation again."""
SKEW = timedelta(minutes=10)
"""How far clocks of sites may be behind."""
USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip
"""What a key may be for, by X.509."""
SERVERS, AUTHORITYS = ("digital_signature",), ("key_cert_sign", "crl_sign")
"""What it is for: an elliptic curve's key signs its handshake, and encrypts nothing."""


@dataclass(frozen=True)
class Certificates:
    """PEM files of a federation."""

    authority: bytes
    """The authority's certificate: sites have it."""
    authority_key: bytes
    superlink: bytes
    superlink_key: bytes


def make(federation: str, host: str, authority: tuple[bytes, bytes] | None = None) -> Certificates:
    """A certificate for the SuperLink under this name or address, by an authority: a new one, or the given certificate
    and key of one that lasts as long."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = ec.generate_private_key(ec.SECP384R1())
    if authority is None or not _signs(*authority):
        authority_key = ec.generate_private_key(ec.SECP384R1())
        name = _called(f"{federation} authority")
        made = _signed(name, authority_key, name, authority_key, names=[])
        authority = _pem(made), _private(authority_key)
    issuer = x509.load_pem_x509_certificate(authority[0]).subject
    signing = load_pem_private_key(authority[1], None)
    assert isinstance(signing, ec.EllipticCurvePrivateKey)
    names = [_name(one) for one in dict.fromkeys([host, "localhost", "127.0.0.1"])]
    superlink = _signed(_called(f"{federation} SuperLink"), key, issuer, signing, names=names)
    return Certificates(*authority, _pem(superlink), _private(key))


def serves(certificate: bytes, host: str) -> bool:
    """Whether a SuperLink's certificate is for this name or address, and does not end soon."""
    from cryptography import x509

    names = x509.load_pem_x509_certificate(certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return _name(host) in names.value and _lasts(certificate, LEFT)


def _signs(certificate: bytes, key: bytes) -> bool:
    """Whether they belong together, and last as long as what they are to sign."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    same = x509.load_pem_x509_certificate(certificate).public_key() == load_pem_private_key(key, None).public_key()
    return same and _lasts(certificate, timedelta(days=DAYS))


def _lasts(certificate: bytes, time: timedelta) -> bool:
    from cryptography import x509

    return x509.load_pem_x509_certificate(certificate).not_valid_after_utc >= datetime.now(UTC) + time


def _called(text: str) -> Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _signed(
    subject: Name, key: EllipticCurvePrivateKey, issuer: Name, by: EllipticCurvePrivateKey, *, names: list[GeneralName]
) -> Certificate:
    """A server's certificate under these names; without any it is the authority's own."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID

    now = datetime.now(UTC)
    usage = dict.fromkeys(USAGES, False) | dict.fromkeys(SERVERS if names else AUTHORITYS, True)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + timedelta(days=DAYS if names else AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=not names, path_length=None if names else 0), critical=True)
        .add_extension(x509.KeyUsage(**usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    return builder.sign(by, hashes.SHA384())


def _name(host: str) -> GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return x509.DNSName(host)


def _pem(certificate: Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _private(key: EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
