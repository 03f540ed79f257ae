"""Tables of the options of curl (up to 8.16) and wget (up to 1.25).

They list every option that takes a value, even ignored ones: otherwise the value would
be taken for a URL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Program(NamedTuple):
    """The options of a program."""

    name: str
    valued: frozenset[str]
    """Long options that take a value."""
    flags: frozenset[str]
    """Long options without one that are ignored; ``--no-`` may precede them."""
    long_of: Mapping[str, str]
    """Letter -> long option."""
    meanings: Mapping[str, str]
    """What an option means for a download; ``silent`` means to ignore it without a
    note."""
    refused: Mapping[str, str]
    """Options that make the command anything but a plain download -> the reason."""


def _long(words: str) -> frozenset[str]:
    return frozenset(f"--{word}" for word in words.split())


def _by_letter(pairs: str) -> dict[str, str]:
    return {pair[0]: f"--{pair[2:]}" for pair in pairs.split()}


SENDS = "sends data; only plain GET requests are supported"
_PART = "requests part of a file; fetchtui downloads complete files"
_FOLLOWS = "follows links; use the page as SOURCE, with --links PATTERN"
_LISTED = "reads a list; use that file as SOURCE instead"
_CURL_DATA = "data data-ascii data-binary data-raw data-urlencode"

CURL = Program(
    "curl",
    _long(
        "abstract-unix-socket alt-svc aws-sigv4 cacert capath cert cert-type ciphers"
        " config connect-timeout connect-to continue-at cookie cookie-jar"
        " create-file-mode crlfile curves data data-ascii data-binary data-raw"
        " data-urlencode delegation dns-interface dns-ipv4-addr dns-ipv6-addr"
        " dns-servers doh-url dump-header ech egd-file engine etag-compare etag-save"
        " expect100-timeout form form-string ftp-account ftp-alternative-to-user"
        " ftp-method ftp-port ftp-ssl-ccc-mode happy-eyeballs-timeout-ms"
        " haproxy-clientip header hostpubmd5 hostpubsha256 hsts interface ip-tos"
        " ipfs-gateway json keepalive-cnt keepalive-time key key-type krb libcurl"
        " limit-rate local-port login-options mail-auth mail-from mail-rcpt"
        " max-filesize max-redirs max-time netrc-file noproxy oauth2-bearer output"
        " output-dir parallel-max parallel-max-host pass pinnedpubkey preproxy proto"
        " proto-default proto-redir proxy proxy-cacert proxy-capath proxy-cert"
        " proxy-cert-type proxy-ciphers proxy-crlfile proxy-header proxy-key"
        " proxy-key-type proxy-pass proxy-pinnedpubkey proxy-service-name"
        " proxy-tls13-ciphers proxy-tlsauthtype proxy-tlspassword proxy-tlsuser"
        " proxy-user proxy1.0 pubkey quote random-file range rate referer request"
        " request-target resolve retry retry-delay retry-max-time sasl-authzid"
        " service-name sigalgs socks4 socks4a socks5 socks5-gssapi-service"
        " socks5-hostname speed-limit speed-time stderr telnet-option tftp-blksize"
        " time-cond tls-max tls13-ciphers tlsauthtype tlspassword tlsuser trace"
        " trace-ascii trace-config unix-socket upload-file upload-flags url url-query"
        " user user-agent variable vlan-priority write-out"
    ),
    _long(
        "alpn append buffer ca-native cert-status clobber compressed compressed-ssh"
        " create-dirs crlf disable disable-eprt disable-epsv disallow-username-in-url"
        " doh-cert-status doh-insecure ech eprt epsv fail fail-early fail-with-body"
        " false-start form-escape ftp-create-dirs ftp-pasv ftp-pret ftp-skip-pasv-ip"
        " ftp-ssl ftp-ssl-ccc ftp-ssl-control ftp-ssl-reqd globon haproxy-protocol"
        " http0.9 http1.0 http1.1 http2 http2-prior-knowledge http3 http3-only"
        " ignore-content-length include insecure ipv4 ipv6 junk-session-cookies"
        " keepalive list-only location location-trusted mail-rcpt-allowfails manual"
        " metalink mptcp netrc netrc-optional npn out-null parallel"
        " parallel-immediate path-as-is post301 post302 post303 progress-bar"
        " progress-meter proxy-anyauth proxy-basic proxy-ca-native proxy-digest"
        " proxy-http2 proxy-insecure proxy-negotiate proxy-ntlm proxy-ssl-allow-beast"
        " proxy-ssl-auto-client-cert proxy-tlsv1 proxytunnel raw remote-header-name"
        " remote-time remove-on-error retry-all-errors retry-connrefused sasl-ir"
        " sessionid show-error show-headers silent skip-existing"
        " socks5-basic socks5-gssapi socks5-gssapi-nec ssl ssl-allow-beast"
        " ssl-auto-client-cert ssl-no-revoke ssl-reqd ssl-revoke-best-effort"
        " ssl-sessions sslv2 sslv3 styled-output suppress-connect-headers"
        " tcp-fastopen tcp-nodelay test-event tftp-no-options tls-earlydata tlsv1"
        " tlsv1.0 tlsv1.1 tlsv1.2 tlsv1.3 tr-encoding trace-ids trace-time use-ascii"
        " verbose xattr"
    ),
    _by_letter(
        "A=user-agent C=continue-at D=dump-header E=cert F=form G=get H=header I=head"
        " J=remote-header-name K=config L=location N=no-buffer O=remote-name"
        " P=ftp-port Q=quote R=remote-time S=show-error T=upload-file U=proxy-user"
        " X=request Y=speed-limit Z=parallel a=append b=cookie c=cookie-jar d=data"
        " e=referer f=fail g=globoff i=include j=junk-session-cookies k=insecure"
        " m=max-time n=netrc o=output p=proxytunnel q=disable r=range s=silent"
        " t=telnet-option u=user v=verbose w=write-out x=proxy y=speed-time"
        " z=time-cond"
    ),
    {
        "--header": "header",
        "--user-agent": "agent",
        "--referer": "referer",
        "--oauth2-bearer": "bearer",
        "--cookie": "cookie",
        "--output": "output",
        "--remote-name": "remote-name",
        "--output-dir": "folder",
        "--url": "url",
        "--request": "method",
        "--user": "login",
        "--globoff": "literal",
        "--get": "get",
        "--url-query": "query",
        "--remote-name-all": "remote-all",
        "--basic": "basic",
        "--digest": "digest",
        "--anyauth": "any",
        "--ntlm": "digest",
        "--ntlm-wb": "digest",
        "--negotiate": "digest",
    }
    | dict.fromkeys(_long(_CURL_DATA), "data")
    | dict.fromkeys(
        _long(
            "location remote-header-name compressed silent show-error"
            " fail fail-with-body verbose progress-bar no-progress-meter no-buffer"
            " continue-at create-dirs globon http1.1 http2 parallel remote-time"
            " disable location-trusted fail-early no-clobber write-out clobber"
            " path-as-is"
        ),
        "silent",
    ),
    {
        "--form": SENDS,
        "--form-string": SENDS,
        "--json": SENDS,
        "--upload-file": SENDS,
        "--head": "requests only headers",
        "--range": _PART,
        "--config": _LISTED,
        "--next": "starts another request; use one line for each",
    },
)

WGET = Program(
    "wget",
    _long(
        "accept accept-regex append-output backups base bind-address body-data"
        " body-file ca-certificate ca-directory certificate certificate-type ciphers"
        " compression config connect-timeout crl-file cut-dirs default-page"
        " dns-timeout domains exclude-directories exclude-domains execute follow-tags"
        " ftp-password ftp-user header http-password http-user ignore-tags"
        " include-directories input-file level limit-rate load-cookies local-encoding"
        " method output-document output-file password pinnedpubkey post-data post-file"
        " prefer-family private-key private-key-type progress proxy-password"
        " proxy-user quota read-timeout referer reject reject-regex rejected-log"
        " remote-encoding report-speed restrict-file-names retry-on-http-error"
        " save-cookies secure-protocol start-pos timeout tries user user-agent wait"
        " waitretry warc-dedup warc-file warc-header warc-max-size warc-tempdir"
        " directory-prefix max-redirect regex-type max-threads"
        " bind-dns-address dns-servers egd-file hsts-file http-passwd input-metalink"
        " metalink-index preferred-location proxy-passwd random-file"
    ),
    _long(
        "adjust-extension ask-password auth-no-challenge background backup-converted"
        " cache check-certificate chunk-size cli-delete content-disposition"
        " content-on-error continue convert-file-only convert-links cookies debug"
        " delete-after dns-cache dont-remove-listing follow-ftp follow-metalink"
        " force-directories force-html force-progress ftps-clear-data-connection"
        " ftps-fallback-to-ftp ftps-implicit ftps-resume-ssl glob hash-keep"
        " host-directories"
        " hsts html-extension http2 https-enforce https-only http-keep-alive"
        " if-modified-since ignore-case ignore-length inet4-only inet6-only iri"
        " keep-session-cookies keep-badhash metalink metalink-over-http"
        " netrc no-config ocsp parallel parent passive-ftp preserve-permissions"
        " private progress protocol-directories proxy quiet random-wait relative"
        " remove-listing retr-symlinks retry-connrefused retry-on-host-error"
        " robots save-headers server-response show-progress span-hosts"
        " strict-comments tcp-fastopen timestamping tls-false-start tls-resume"
        " trust-server-names unlink use-askpass use-server-timestamps verbose"
        " warc-cdx warc-compression warc-digests warc-keep-log xattr"
    ),
    _by_letter(
        "A=accept B=base D=domains E=adjust-extension F=force-html H=span-hosts"
        " I=include-directories K=backup-converted L=relative N=timestamping"
        " O=output-document P=directory-prefix Q=quota R=reject S=server-response"
        " T=timeout U=user-agent X=exclude-directories a=append-output b=background"
        " c=continue d=debug e=execute i=input-file k=convert-links l=level m=mirror"
        " o=output-file p=page-requisites q=quiet r=recursive t=tries v=verbose w=wait"
        " x=force-directories 4=inet4-only 6=inet6-only"
    ),
    {
        "--header": "header",
        "--user-agent": "agent",
        "--referer": "referer",
        "--output-document": "output",
        "--directory-prefix": "folder",
        "--user": "user",
        "--password": "password",
        "--http-user": "user",
        "--http-password": "password",
        "--http-passwd": "password",
        "--method": "method",
        "--auth-no-challenge": "basic",
        "--load-cookies": "cookies",
    }
    | dict.fromkeys(
        _long(
            "continue quiet verbose no-verbose content-disposition no-clobber"
            " timestamping show-progress trust-server-names progress background"
            " server-response output-file max-redirect"
        ),
        "silent",
    ),
    {
        "--post-data": SENDS,
        "--post-file": SENDS,
        "--body-data": SENDS,
        "--body-file": SENDS,
        "--recursive": _FOLLOWS,
        "--mirror": _FOLLOWS,
        "--page-requisites": _FOLLOWS,
        "--spider": "downloads nothing",
        "--start-pos": _PART,
        "--input-file": _LISTED,
    },
)
