//! Which APIs there are, and what happens to a client that asks for others, or says nothing that can be understood.

use crate::{reply::Names, side::Side};
use anyhow::Result;
use cairn_proto::kafka::{
    ApiKey, Message as _, Reader, ResponseHeader,
    api_versions::{ApiVersionsRequest, ApiVersionsResponse},
};

pub(crate) async fn advertised_versions(side: &mut Side) -> Result<()> {
    for version in ApiKey::ApiVersions.served() {
        for (case, name, software_version) in [
            ("asked", "raw", "1.0"),
            ("no software name", "", "1.0"),
            ("no software version", "raw", ""),
            ("a bad software name", "-raw/", "1.0"),
        ] {
            let request = ApiVersionsRequest {
                client_software_name: name.into(),
                client_software_version: software_version.into(),
            };
            side.ask(case, version, &request).await?;
        }
    }
    side.send_body("an unknown version with anything behind its header", 18, 99, b"\xff\xfe\xfd").await?;
    let answer = side.send_body("an unknown version", 18, 99, b"\0\x04raw\x041.0\0").await?;
    if let Some(answer) = answer {
        let mut reader = Reader::new(answer, 1 << 20);
        ResponseHeader::decode(&mut reader, ApiKey::ApiVersions, 0)?;
        let response = ApiVersionsResponse::decode_body(&mut reader, 0)?;
        side.note("the answer to an unknown version", crate::reply::fields(&response, &mut Names::default()));
    }
    Ok(())
}

pub(crate) async fn connections(side: &mut Side) -> Result<()> {
    for api in ApiKey::ALL {
        if *api != ApiKey::ApiVersions {
            side.send_body("beyond all versions", api.number(), 99, b"").await?;
            side.send_body("a version below 0", api.number(), -1, b"").await?;
        }
        if *api.served().start() > 0 {
            side.send_body("before the first version", api.number(), *api.served().start() - 1, b"").await?;
        }
        side.send_body("half a body", api.number(), *api.served().end(), b"\0\xff\xff").await?;
    }
    side.send_body("an unknown API", 999, 0, b"").await?;
    side.send_body("an API below 0", -1, 0, b"").await?;
    for (case, bytes) in [
        ("a frame of no bytes", &b"\0\0\0\0"[..]),
        ("a frame shorter than a header", b"\0\0\0\x03abc"),
        ("a frame of less than no bytes", b"\xff\xff\xff\xff"),
        ("a frame of 2 GiB", b"\x7f\xff\xff\xff\0\x12\0\0"),
        ("an HTTP request", b"GET / HTTP/1.1\r\n\r\n"),
    ] {
        side.send_bytes(case, bytes).await?;
    }
    Ok(())
}
