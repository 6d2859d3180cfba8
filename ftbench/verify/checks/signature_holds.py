"""A signature in the bundle is of its manifest, made for bundles; whose it is the list of signers says."""

from __future__ import annotations

from ftbench.result import names
from ftbench.signing import keygen, sshsig
from ftbench.signing.kinds import BUNDLE
from ftbench.verify.check import Check, Failure
from ftbench.verify.context import Context

NO_TOOL = "The bundle's signature: it is well-formed, and there is no ssh-keygen here that could verify it."


def run(context: Context) -> str | Failure:
    """Where signers were named a bundle must be signed by one of them; else it may be without a signature."""
    data = context.bundle.files.get(names.SIGNATURE)
    if data is None:
        return "the bundle is not signed" if context.signers is None else Failure("the bundle is not signed")
    told = sshsig.read(data, names.SIGNATURE)
    if context.signers is None and not keygen.available():
        context.notes.append(NO_TOOL)
        return f"key {told.fingerprint}, not verified here"
    manifest = context.bundle.files[names.MANIFEST]
    context.signature = keygen.signed(manifest, data, BUNDLE, names.SIGNATURE, context.signers)
    by = f"by {context.signature.identity}, " if context.signature.identity else ""
    return f"signed {by}key {context.signature.key}"


CHECK = Check("signature-holds", "INTACT", "FTB624", "the bundle's signature, if it has one, is of this manifest", run)
