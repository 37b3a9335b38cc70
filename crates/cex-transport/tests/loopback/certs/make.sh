#!/bin/sh
# Makes the certificates the TLS tests serve, good and bad. All leaves share one key that guards nothing.
# The files are committed; run this again only to change them. Needs openssl.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat > "$work/ca.cnf" <<CNF
[ca]
default_ca = here
[here]
database = $work/index
new_certs_dir = $work
default_md = sha256
policy = anything
rand_serial = yes
unique_subject = no
[anything]
commonName = supplied
[root]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
[good]
subjectAltName = DNS:localhost, IP:127.0.0.1
[wrong_host]
subjectAltName = DNS:other.example
CNF
: > "$work/index"

key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }
key "$work/leaf.pem"
for root in ca other_ca; do
    key "$work/$root.key"
    openssl req -new -key "$work/$root.key" -subj "/CN=test root $root" -out "$work/$root.csr"
    openssl ca -batch -notext -config "$work/ca.cnf" -selfsign -keyfile "$work/$root.key" -in "$work/$root.csr" \
        -extensions root -startdate 20200101000000Z -enddate 21200101000000Z -out "$work/$root.crt"
done
openssl req -new -key "$work/leaf.pem" -subj "/CN=test leaf" -out "$work/leaf.csr"

# name, issuer, extensions, end
leaf() {
    openssl ca -batch -notext -config "$work/ca.cnf" -cert "$work/$2.crt" -keyfile "$work/$2.key" \
        -in "$work/leaf.csr" -extensions "$3" -startdate 20200101000000Z -enddate "$4" -out "$work/$1.crt"
    openssl x509 -in "$work/$1.crt" -outform DER -out "$1.der"
}
leaf good ca good 21200101000000Z
leaf expired ca good 20210101000000Z
leaf wrong_host ca wrong_host 21200101000000Z
leaf unknown_root other_ca good 21200101000000Z
openssl req -x509 -key "$work/leaf.pem" -subj "/CN=test leaf" -days 36500 -addext "subjectAltName=DNS:localhost" \
    -outform DER -out self_signed.der
openssl x509 -in "$work/ca.crt" -outform DER -out root.der
openssl pkcs8 -topk8 -nocrypt -in "$work/leaf.pem" -outform DER -out leaf_key.der
