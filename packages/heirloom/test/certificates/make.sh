#!/bin/sh
# Makes the certificates of the tests anew, with openssl 3. They are valid for a hundred years, except those that are not.
set -e
cd "$(dirname "$0")"
rm -f -- *.pem *.key
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
DAYS=36500

authority() { # name
  openssl ecparam -name prime256v1 -genkey -noout -out "$work/$1.key"
  openssl req -x509 -new -key "$work/$1.key" -subj "/CN=heirloom test $1" -days $DAYS -out "$1.pem" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
}

issue() { # authority name subject extensions
  signer=$1 name=$2 subject=$3 extensions=$4
  openssl ecparam -name prime256v1 -genkey -noout -out "$work/$name.sec1"
  openssl pkcs8 -topk8 -nocrypt -in "$work/$name.sec1" -out "$name.key"
  printf '%b\n' "$extensions" >"$work/extensions"
  openssl req -new -utf8 -multivalue-rdn -key "$name.key" -subj "$subject" -out "$work/$name.csr"
  openssl x509 -req -in "$work/$name.csr" -CA "$signer.pem" -CAkey "$work/$signer.key" -CAcreateserial \
    -CAserial "$work/serial" -extfile "$work/extensions" -days $DAYS -out "$name.pem"
}

authority ca
authority other-ca

SERVER='extendedKeyUsage=serverAuth'
CLIENT='extendedKeyUsage=clientAuth'
issue ca server /CN=localhost "$SERVER\nsubjectAltName=DNS:localhost,IP:127.0.0.1"
issue ca server-new /CN=localhost "$SERVER\nsubjectAltName=DNS:localhost,IP:127.0.0.1"
issue ca server-named /CN=named.example "$SERVER\nsubjectAltName=DNS:named.example"
issue ca server-wildcard '/CN=*.wild.example' "$SERVER\nsubjectAltName=DNS:*.wild.example"
openssl pkcs8 -topk8 -in server.key -passout pass:secret -out server-encrypted.key
printf 'secret\n' >passphrase.key

issue ca client '/O=Acme/CN=thermometer' "$CLIENT\nsubjectAltName=DNS:t1.example,email:t1@example.org,URI:urn:device:t1"
issue ca client-two-names '/CN=first/CN=second' "$CLIENT"
issue ca client-utf8 '/CN=Fühler' "$CLIENT"
issue ca client-revoked /CN=revoked "$CLIENT"
issue ca client-for-servers /CN=server "$SERVER"
issue other-ca client-of-others /CN=thermometer "$CLIENT"

# Valid for the second half of 2020 only.
openssl ecparam -name prime256v1 -genkey -noout -out "$work/e.sec1"
openssl pkcs8 -topk8 -nocrypt -in "$work/e.sec1" -out client-expired.key
openssl req -new -key client-expired.key -subj /CN=expired -out "$work/e.csr"
mkdir "$work/db" && : >"$work/db/index.txt" && echo 1000 >"$work/db/crlnumber" && echo 5000 >"$work/db/serial"
cat >"$work/ca.cnf" <<CONFIG
[ca]
default_ca = test
[test]
dir = $work/db
database = $work/db/index.txt
serial = $work/db/serial
crlnumber = $work/db/crlnumber
new_certs_dir = $work/db
default_md = sha256
policy = any
[any]
commonName = supplied
[client]
extendedKeyUsage = clientAuth
CONFIG
openssl ca -batch -config "$work/ca.cnf" -extensions client -cert ca.pem -keyfile "$work/ca.key" -notext \
  -startdate 20200701000000Z -enddate 20201231000000Z -in "$work/e.csr" -out client-expired.pem

# A name with NUL in it: "admin" to those who read it as a C string. OpenSSL's own tools cannot be told to write one.
node make-nul.mjs ca.pem "$work/ca.key" client-nul

# Before and after the revocation.
openssl ca -gencrl -config "$work/ca.cnf" -cert ca.pem -keyfile "$work/ca.key" -crldays $DAYS -out crl-empty.pem
openssl ca -revoke client-revoked.pem -config "$work/ca.cnf" -cert ca.pem -keyfile "$work/ca.key"
openssl ca -gencrl -config "$work/ca.cnf" -cert ca.pem -keyfile "$work/ca.key" -crldays $DAYS -out crl.pem
chmod 600 -- *.key
