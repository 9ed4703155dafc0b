//! Where a request may come from: a page in somebody's browser must not reach a server on their
//! machine by a name that leads there (DNS rebinding; specification, basic/transports, Security).

use axum::extract::{Request, State as Extract};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::State;
use crate::config::Http;

fn is_host_allowed(options: &Http, host: &str) -> bool {
    let name = name(host);
    let listed =
        |listed: &String| listed.eq_ignore_ascii_case(host) || listed.eq_ignore_ascii_case(name);
    is_loopback(name) || options.allowed_hosts.iter().any(listed)
}

fn is_origin_allowed(options: &Http, origin: &str) -> bool {
    let mut listed = options.allowed_origins.iter();
    if listed.any(|listed| listed.eq_ignore_ascii_case(origin)) {
        return true;
    }
    let rest = origin.strip_prefix("http://");
    let rest = rest.or_else(|| origin.strip_prefix("https://"));
    rest.is_some_and(|host| !host.contains('/') && is_loopback(name(host)))
}

/// A host without its port. What is not formed like that is left as it is, and is nobody's name.
fn name(host: &str) -> &str {
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let (name, port) = match bracketed {
        Some((name, "")) => (name, ""),
        Some((name, rest)) => (name, rest.strip_prefix(':').unwrap_or("?")),
        None => host.rsplit_once(':').unwrap_or((host, "")),
    };
    if port.bytes().all(|c| c.is_ascii_digit()) {
        name
    } else {
        host
    }
}

fn is_loopback(name: &str) -> bool {
    let address = name.parse::<std::net::IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// Refuses what comes from elsewhere.
pub(super) async fn check(
    Extract(state): Extract<State>,
    request: Request,
    next: Next,
) -> Response {
    match refused(&state.0.options, request.headers()) {
        None => next.run(request).await,
        Some(why) => (StatusCode::FORBIDDEN, why).into_response(),
    }
}

fn refused(options: &Http, headers: &HeaderMap) -> Option<&'static str> {
    let all = |name, is_allowed: &dyn Fn(&str) -> bool| {
        let mut values = headers.get_all(name).iter();
        values.all(|value| value.to_str().is_ok_and(is_allowed))
    };
    if !all(HOST, &|host| is_host_allowed(options, host)) {
        return Some("this server is not known by that name: see `allowed_hosts`\n");
    }
    if !all(ORIGIN, &|origin| is_origin_allowed(options, origin)) {
        return Some("pages of that origin may not come here: see `allowed_origins`\n");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_and_what_is_listed_may_come() {
        let options = Http {
            allowed_hosts: vec!["mcp.example.com".into(), "other.example.com:81".into()],
            allowed_origins: vec!["https://app.example.com".into()],
            ..Http::default()
        };
        let check = |host: &str, origin: Option<&str>, may: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(ORIGIN, origin.parse().unwrap());
            }
            assert_eq!(
                refused(&options, &headers).is_none(),
                may,
                "{host} {origin:?}"
            );
        };
        check("localhost:80", None, true);
        check("127.0.0.1:7357", Some("http://127.0.0.1:7357"), true);
        check("[::1]:7357", Some("http://[::1]:7357"), true);
        check("MCP.example.com", Some("https://app.example.com"), true);
        check("other.example.com:81", None, true);
        check("other.example.com", None, false);
        check("evil.example.com", None, false);
        check("localhost", Some("http://evil.example.com"), false);
        check("localhost", Some("null"), false);
        check("localhost.evil.example.com", None, false);
        check("127.0.0.1.evil.example.com", None, false);
        check("[::1].evil.example.com", None, false);
        check("localhost:1@evil.example.com", None, false);
        check(
            "localhost",
            Some("http://localhost.evil.example.com"),
            false,
        );
    }
}
