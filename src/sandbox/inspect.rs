//! What bytes are, before anybody compiles them: so that what is no component of ours is refused
//! in one clear sentence.

use wasmparser::{CanonicalFunction, CanonicalOption, Chunk, Encoding, Parser, Payload};
use wasmtime::Engine;

use super::Error;
use crate::text::clean_line;

/// The most bytes of a name or a message from a component.
pub(super) const TEXT_MAX: usize = 512;

const MAGIC: &[u8] = b"\0asm";

/// Refuses what is not a component, or one that is built for WASI 0.3.
pub(super) fn inspect(bytes: &[u8]) -> Result<(), Error> {
    if bytes.is_empty() {
        return Err(Error::NotAComponent("the file is empty"));
    }
    if Engine::detect_precompiled(bytes).is_some() {
        return Err(Error::NotAComponent(
            "it is compiled already, and native code from elsewhere is never run",
        ));
    }
    if !bytes.starts_with(MAGIC) {
        let what = match std::str::from_utf8(bytes) {
            Ok(_) => "it is a text",
            Err(_) => "it does not begin as WebAssembly does",
        };
        return Err(Error::NotAComponent(what));
    }
    scan(bytes)
}

/// Reads the component's own sections; nested ones are left to the compiler.
fn scan(bytes: &[u8]) -> Result<(), Error> {
    let mut parser = Parser::new(0);
    let mut rest = bytes;
    // Nested modules and components are skipped over, so there is one parser only.
    loop {
        let chunk = parser.parse(rest, true).map_err(|error| invalid(&error))?;
        let Chunk::Parsed { consumed, payload } = chunk else {
            // Not to be had once the parser was told that there are no more bytes.
            return Err(Error::Invalid("it ends too early".into()));
        };
        rest = rest.get(consumed..).unwrap_or_default();
        match payload {
            Payload::Version {
                encoding: Encoding::Module,
                ..
            } => {
                return Err(Error::NotAComponent(
                    "it is a core module; make a component of it, with the target wasm32-wasip2 \
                     or `wasm-tools component new`",
                ));
            }
            Payload::ModuleSection {
                unchecked_range, ..
            }
            | Payload::ComponentSection {
                unchecked_range, ..
            } => {
                let ends = || Error::Invalid("it is truncated".into());
                rest = rest.get(unchecked_range.len()..).ok_or_else(ends)?;
            }
            Payload::ComponentImportSection(imports) => {
                for import in imports {
                    let name = import.map_err(|error| invalid(&error))?.name.name;
                    refuse_wasi_03(name)?;
                }
            }
            Payload::ComponentCanonicalSection(functions) => {
                for function in functions {
                    refuse_async(&function.map_err(|error| invalid(&error))?)?;
                }
            }
            Payload::End(_) => return Ok(()),
            _ => {}
        }
    }
}

fn refuse_wasi_03(name: &str) -> Result<(), Error> {
    let version = name
        .strip_prefix("wasi:")
        .and_then(|rest| rest.split_once('@'));
    match version {
        Some((_, version)) if version.starts_with("0.3.") => {
            Err(Error::Wasi03(clean_line(name, TEXT_MAX)))
        }
        _ => Ok(()),
    }
}

fn refuse_async(function: &CanonicalFunction) -> Result<(), Error> {
    let (CanonicalFunction::Lift { options, .. } | CanonicalFunction::Lower { options, .. }) =
        function
    else {
        return Ok(());
    };
    if options.contains(&CanonicalOption::Async) {
        return Err(Error::Wasi03("async function".into()));
    }
    Ok(())
}

fn invalid(error: &wasmparser::BinaryReaderError) -> Error {
    let what = clean_line(error.message(), TEXT_MAX);
    Error::Invalid(format!("{what} (at byte {})", error.offset()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expect: &str) {
        let error = inspect(bytes).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }

    #[test]
    fn what_is_no_component_is_refused_in_one_sentence() {
        check(b"", "empty");
        check(b"#!/bin/sh\necho", "a text");
        check(b"\x7fELF\xff\xfe", "does not begin");
        check(&wat::parse_str("(module)").unwrap(), "core module");
        let component = wat::parse_str("(component (core module (memory 1)))").unwrap();
        assert_eq!(inspect(&component), Ok(()));
        for end in 4..component.len() {
            // A component cut between two sections is one with fewer sections.
            let _ = inspect(&component[..end]);
        }
        check(&component[..component.len() - 2], "not a valid");
    }

    #[test]
    fn a_component_of_wasi_03_is_known_by_its_import() {
        let text = r#"(component (import "wasi:cli/stdout@0.3.0" (instance)))"#;
        check(&wat::parse_str(text).unwrap(), "`wasi:cli/stdout@0.3.0`");
        let text = r#"(component (import "wasi:cli/stdout@0.2.3" (instance)))"#;
        assert_eq!(inspect(&wat::parse_str(text).unwrap()), Ok(()));
    }
}
