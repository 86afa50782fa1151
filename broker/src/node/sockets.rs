//! The addresses of a broker: checked before anything is opened, bound before anything is recovered, served last.

use super::{Addresses, StartError};
use crate::{
    config::{Config, Listen},
    metadata::Endpoints,
};
use std::{io, net::SocketAddr};
use tokio::net::{TcpListener, lookup_host};

/// One listener that is on: its configuration key, its address as configured, and what that resolves to.
#[derive(Debug)]
struct Wanted {
    key: &'static str,
    address: String,
    resolved: Vec<SocketAddr>,
}

/// The listeners that are on.
#[derive(Debug)]
pub(super) struct Sockets {
    grpc: Option<Wanted>,
    http: Option<Wanted>,
    advertise_grpc: String,
}

/// Bound sockets, and what others are told about them.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) grpc: Option<TcpListener>,
    pub(super) http: Option<TcpListener>,
    pub(super) endpoints: Endpoints,
}

impl Sockets {
    /// Checks the addresses.
    ///
    /// # Errors
    /// An address does not resolve, is beyond loopback without `--insecure`, or cannot be told to clients.
    pub(super) async fn of(config: &Config) -> Result<Self, StartError> {
        let grpc = wanted("listen-grpc", &config.listen_grpc, config.insecure).await?;
        let http = wanted("listen-http", &config.listen_http, config.insecure).await?;
        let everywhere =
            |wanted: &Wanted| wanted.resolved.iter().any(|address| address.ip().is_unspecified());
        if let Some(grpc) =
            grpc.as_ref().filter(|wanted| everywhere(wanted) && config.advertise_grpc.is_empty())
        {
            return Err(StartError::Address(format!(
                "listen-grpc is {}, which is every address of this machine: say which one clients are to use with --advertise-grpc HOST:PORT",
                grpc.address
            )));
        }
        Ok(Self { grpc, http, advertise_grpc: config.advertise_grpc.clone() })
    }

    /// Binds them.
    ///
    /// # Errors
    /// Which listener, which address, why, and what to do.
    pub(super) async fn bind(self) -> Result<Bound, StartError> {
        let grpc = bind(self.grpc.as_ref()).await?;
        let http = bind(self.http.as_ref()).await?;
        let own =
            grpc.as_ref().and_then(|listener| listener.local_addr().ok()).map(|address| address.to_string());
        let advertised = (grpc.is_some() && !self.advertise_grpc.is_empty()).then_some(self.advertise_grpc);
        let endpoints = Endpoints { grpc: advertised.or(own), ..Endpoints::default() };
        Ok(Bound { grpc, http, endpoints })
    }
}

impl Bound {
    /// Where they listen.
    pub(super) fn addresses(&self) -> Addresses {
        let address =
            |listener: &Option<TcpListener>| listener.as_ref().and_then(|one| one.local_addr().ok());
        Addresses { grpc: address(&self.grpc), http: address(&self.http) }
    }
}

async fn wanted(key: &'static str, listen: &Listen, insecure: bool) -> Result<Option<Wanted>, StartError> {
    let Listen::At(address) = listen else { return Ok(None) };
    let resolved: Vec<SocketAddr> = lookup_host(address)
        .await
        .map_err(|error| StartError::Address(format!("{key} is {address}, which does not resolve: {error}")))?
        .collect();
    if resolved.iter().any(|address| !address.ip().is_loopback()) {
        if !insecure {
            return Err(StartError::Address(format!(
                "{key} is {address}, beyond this machine, and nobody is authenticated: use a loopback address, or allow it with --insecure"
            )));
        }
        tracing::warn!(
            "{key} {address} is reachable beyond this machine, and nobody is authenticated (--insecure)"
        );
    }
    Ok(Some(Wanted { key, address: address.clone(), resolved }))
}

async fn bind(wanted: Option<&Wanted>) -> Result<Option<TcpListener>, StartError> {
    let Some(wanted) = wanted else { return Ok(None) };
    match TcpListener::bind(wanted.resolved.as_slice()).await {
        Ok(listener) => Ok(Some(listener)),
        Err(error) => {
            let todo = match error.kind() {
                io::ErrorKind::AddrInUse => "stop whoever uses it, or choose another address",
                io::ErrorKind::PermissionDenied => "choose a port above 1023",
                io::ErrorKind::AddrNotAvailable => "choose an address of this machine",
                _ => "choose another address",
            };
            let key = wanted.key;
            let detail = format!("{error}; {todo} with --{key} HOST:PORT, or turn it off with --{key} off");
            Err(StartError::Bind { listener: key, address: wanted.address.clone(), detail })
        }
    }
}
