//! `repeat_pointer`: an output whose texts are all the same bytes of memory. It takes little
//! memory here and becomes much where it is lifted: a host that counts only what a guest
//! holds would be talked into holding more.
//!
//! Safe Rust has no way to say this, since two `String`s never share their bytes. They are
//! only read, and the allocator below never frees them.

#![allow(
    unsafe_code,
    clippy::same_length_and_capacity,
    reason = "texts that share their bytes"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use serde_json::Value;

use crate::contract::exports::stepwell::tool::tools::Output;
use crate::contract::stepwell::tool::types::Content;
use crate::{Result, failed, number};

#[global_allocator]
static ALLOCATOR: KeepsShared = KeepsShared;

/// The bytes that are shared.
static SHARED: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());

/// The system's allocator, but that it never frees the shared bytes.
struct KeepsShared;

// SAFETY: every call but the freeing of the shared bytes, which may leak, is the system's.
unsafe impl GlobalAlloc for KeepsShared {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller says.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, bytes: *mut u8, layout: Layout) {
        if bytes != SHARED.load(Ordering::Relaxed) {
            // SAFETY: as the caller says.
            unsafe { System.dealloc(bytes, layout) }
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller says.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, bytes: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as the caller says; the shared bytes are never grown.
        unsafe { System.realloc(bytes, layout, size) }
    }
}

/// Returns `items` texts (10000) of `bytes` bytes (1 MiB), all of them the same memory.
pub(crate) fn run(arguments: &Value) -> Result<Output> {
    let items = number(arguments, "items").unwrap_or(10_000);
    let bytes = number(arguments, "bytes").unwrap_or(1 << 20).max(1);
    let size = usize::try_from(bytes).map_err(failed)?;
    let shared: &'static mut [u8] = Vec::leak(vec![b'x'; size]);
    let start = shared.as_mut_ptr();
    SHARED.store(start, Ordering::Relaxed);
    let content = (0..items)
        // SAFETY: `size` bytes of ASCII from the global allocator, with that capacity; they
        // are only read from here on, and the allocator does not free them.
        .map(|_| Content::Text(unsafe { String::from_raw_parts(start, size, size) }))
        .collect();
    Ok(Output {
        content,
        structured: None,
        meta: None,
    })
}
