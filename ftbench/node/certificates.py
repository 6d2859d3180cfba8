"""A federation's own certificate authority, and the SuperLink's certificate: what TLS asks for, and no more."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate, GeneralName

DAYS = 365
SKEW = timedelta(minutes=10)
"""How far clocks of sites may be behind."""


@dataclass(frozen=True)
class Certificates:
    """PEM files of a federation."""

    authority: bytes
    """The authority's certificate: sites have it."""
    authority_key: bytes
    superlink: bytes
    superlink_key: bytes


def make(federation: str, hosts: list[str]) -> Certificates:
    """A new authority and a certificate for the SuperLink under each of these names or addresses."""
    from cryptography.hazmat.primitives.asymmetric import ec

    authority_key, key = ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP384R1())
    name = f"{federation} authority"
    by = _Signer(name, authority_key)
    names = [_name(host) for host in dict.fromkeys([*hosts, "localhost", "127.0.0.1"])]
    authority = _signed(name, authority_key, by, names=[])
    superlink = _signed(f"{federation} SuperLink", key, by, names=names)
    return Certificates(_pem(authority), _private(authority_key), _pem(superlink), _private(key))


@dataclass(frozen=True)
class _Signer:
    name: str
    key: EllipticCurvePrivateKey


def _signed(subject: str, key: EllipticCurvePrivateKey, by: _Signer, *, names: list[GeneralName]) -> Certificate:
    """A certificate under these names; without any it is the authority's own."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import NameOID

    now = datetime.now(UTC)
    constraints = x509.BasicConstraints(ca=not names, path_length=None if names else 0)

    def called(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])

    builder = (
        x509.CertificateBuilder()
        .subject_name(called(subject))
        .issuer_name(called(by.name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + timedelta(days=DAYS))
        .add_extension(constraints, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key()), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(by.key, hashes.SHA384())


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
