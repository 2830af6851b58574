"""Checks a skill's `skill.oms.sig` with the program of OpenSSF Model Signing, which knows nothing of us.

    pip install model-signing pyopenssl
    python verify_oms.py FOLDER SIGNATURE --key PUBLIC_KEY
    python verify_oms.py FOLDER SIGNATURE --roots CERTIFICATES

FOLDER holds the skill's files, SIGNATURE is the bundle, PUBLIC_KEY a key in PEM, CERTIFICATES those of authorities in
PEM. Ends with 0 where the signature fits, and then says so; with 1 otherwise.
"""

import argparse
import pathlib
import sys

import model_signing


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("signature", type=pathlib.Path)
    trust = parser.add_mutually_exclusive_group(required=True)
    trust.add_argument("--key", type=pathlib.Path)
    trust.add_argument("--roots", type=pathlib.Path)
    arguments = parser.parse_args()
    config = model_signing.verifying.Config()
    if arguments.key:
        config.use_elliptic_key_verifier(public_key=arguments.key)
    else:
        config.use_certificate_verifier(certificate_chain=[arguments.roots])
    try:
        config.verify(arguments.folder, arguments.signature)
    except Exception as error:
        # Some have no words.
        print(f"refused: {type(error).__name__} {error}", file=sys.stderr)
        return 1
    print("verified by model_signing")
    return 0


sys.exit(main())
