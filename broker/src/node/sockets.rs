//! The addresses of a broker: checked before anything is opened, bound before anything is recovered, served last.

use super::{Addresses, StartError};
use crate::{
    config::{Config, Listen},
    metadata::Endpoints,
};
use std::{io, net::SocketAddr};
use tokio::net::{TcpListener, lookup_host};

/// The name that may have two addresses.
const LOCALHOST: &str = "localhost";

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
    kafka: Option<Wanted>,
    http: Option<Wanted>,
    advertise_grpc: String,
    advertise_kafka: String,
}

/// Bound sockets, and what others are told about them.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) grpc: Option<TcpListener>,
    /// Of every address that the name has: clients try them in an order of their own. Empty: off.
    pub(super) kafka: Vec<TcpListener>,
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
        let kafka = wanted("listen-kafka", &config.listen_kafka, config.insecure).await?;
        tellable(grpc.as_ref(), "advertise-grpc", &config.advertise_grpc)?;
        tellable(kafka.as_ref(), "advertise-kafka", &config.advertise_kafka)?;
        let (advertise_grpc, advertise_kafka) =
            (config.advertise_grpc.clone(), config.advertise_kafka.clone());
        Ok(Self { grpc, kafka, http, advertise_grpc, advertise_kafka })
    }

    /// Binds them.
    ///
    /// # Errors
    /// Which listener, which address, why, and what to do.
    pub(super) async fn bind(self) -> Result<Bound, StartError> {
        let grpc = bind(self.grpc.as_ref()).await?;
        let kafka = bind_all(self.kafka.as_ref()).await?;
        let http = bind(self.http.as_ref()).await?;
        let own = grpc.as_ref().and_then(|listener| listener.local_addr().ok());
        let endpoints = Endpoints {
            grpc: own.map(|own| told(self.advertise_grpc, own.to_string())),
            kafka: kafka_address(self.kafka.as_ref(), &kafka).map(|own| told(self.advertise_kafka, own)),
            ..Endpoints::default()
        };
        Ok(Bound { grpc, kafka, http, endpoints })
    }
}

/// What clients are told of a listener that is bound: what the configuration says, else the listener's own address.
fn told(advertised: String, own: String) -> String {
    if advertised.is_empty() { own } else { advertised }
}

/// The name `localhost` is told as it is, since there may be two sockets behind it; other names as what they mean.
fn kafka_address(wanted: Option<&Wanted>, bound: &[TcpListener]) -> Option<String> {
    let own = bound.first()?.local_addr().ok()?;
    match wanted?.address.rsplit_once(':') {
        Some((LOCALHOST, _)) => Some(format!("{LOCALHOST}:{}", own.port())),
        _ => Some(own.to_string()),
    }
}

impl Bound {
    /// Where they listen.
    pub(super) fn addresses(&self) -> Addresses {
        let address =
            |listener: &Option<TcpListener>| listener.as_ref().and_then(|one| one.local_addr().ok());
        let kafka = self.kafka.first().and_then(|one| one.local_addr().ok());
        Addresses { grpc: address(&self.grpc), kafka, http: address(&self.http) }
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

/// A listener on every address of the machine has none that clients could be told.
fn tellable(wanted: Option<&Wanted>, key: &str, advertised: &str) -> Result<(), StartError> {
    let everywhere = |wanted: &&Wanted| wanted.resolved.iter().any(|address| address.ip().is_unspecified());
    match wanted.filter(everywhere) {
        Some(wanted) if advertised.is_empty() => Err(StartError::Address(format!(
            "{} is {}, which is every address of this machine: say which one clients are to use with --{key} HOST:PORT",
            wanted.key, wanted.address
        ))),
        _ => Ok(()),
    }
}

/// The first of its addresses that can be bound.
async fn bind(wanted: Option<&Wanted>) -> Result<Option<TcpListener>, StartError> {
    let Some(wanted) = wanted else { return Ok(None) };
    let bound = TcpListener::bind(wanted.resolved.as_slice()).await;
    bound.map(Some).map_err(|error| refused(wanted, &error))
}

/// All of its addresses, on one port; those that this machine does not have (IPv6, say) are left out, but not all of
/// them.
async fn bind_all(wanted: Option<&Wanted>) -> Result<Vec<TcpListener>, StartError> {
    let Some(wanted) = wanted else { return Ok(Vec::new()) };
    let mut bound: Vec<TcpListener> = Vec::new();
    let mut missing = None;
    for address in &wanted.resolved {
        let mut address = *address;
        if let Some(first) = bound.first().and_then(|first| first.local_addr().ok()) {
            address.set_port(first.port());
        }
        match TcpListener::bind(address).await {
            Ok(listener) => bound.push(listener),
            Err(error) if is_absent(&error) => missing = Some(error),
            Err(error) => return Err(refused(wanted, &error)),
        }
    }
    match missing {
        Some(error) if bound.is_empty() => Err(refused(wanted, &error)),
        _ => Ok(bound),
    }
}

/// The machine has no such address, or no such family of addresses.
fn is_absent(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    error.kind() == io::ErrorKind::AddrNotAvailable || code == Some(libc::EAFNOSUPPORT)
}

fn refused(wanted: &Wanted, error: &io::Error) -> StartError {
    let todo = match error.kind() {
        io::ErrorKind::AddrInUse => "stop whoever uses it, or choose another address",
        io::ErrorKind::PermissionDenied => "choose a port above 1023",
        io::ErrorKind::AddrNotAvailable => "choose an address of this machine",
        _ => "choose another address",
    };
    let key = wanted.key;
    let detail = format!("{error}; {todo} with --{key} HOST:PORT, or turn it off with --{key} off");
    StartError::Bind { listener: key, address: wanted.address.clone(), detail }
}
