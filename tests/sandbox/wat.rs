//! Tools written in the text format of WebAssembly: for what no compiler would make.

/// The types of the contract, each made of those before it.
const TYPES: [(&str, &str); 13] = [
    (
        "stop-reason",
        r#"(enum "cancelled" "deadline-exceeded" "out-of-fuel")"#,
    ),
    (
        "stop",
        r#"(record (field "reason" $stop-reason) (field "grace" u64))"#,
    ),
    (
        "annotations",
        r#"(record (field "read-only" (option bool)) (field "destructive" (option bool))
            (field "idempotent" (option bool)) (field "open-world" (option bool)))"#,
    ),
    (
        "task-support",
        r#"(enum "forbidden" "optional" "required")"#,
    ),
    (
        "definition",
        r#"(record (field "name" string) (field "title" (option string))
            (field "description" string) (field "input-schema" string)
            (field "output-schema" (option string)) (field "annotations" $annotations)
            (field "task-support" $task-support) (field "meta" (option string)))"#,
    ),
    (
        "blob",
        r#"(record (field "data" (list u8)) (field "mime-type" string))"#,
    ),
    (
        "link",
        r#"(record (field "uri" string) (field "name" string)
            (field "mime-type" (option string)))"#,
    ),
    (
        "resource-body",
        r#"(variant (case "text" string) (case "bytes" (list u8)))"#,
    ),
    (
        "embedded",
        r#"(record (field "uri" string) (field "mime-type" (option string))
            (field "body" $resource-body))"#,
    ),
    (
        "content",
        r#"(variant (case "text" string) (case "image" $blob) (case "audio" $blob)
            (case "link" $link) (case "embedded" $embedded))"#,
    ),
    (
        "output",
        r#"(record (field "content" (list $content)) (field "structured" (option string))
            (field "meta" (option string)))"#,
    ),
    (
        "failure",
        r#"(record (field "message" string) (field "data" (option string)))"#,
    ),
    (
        "error",
        r#"(variant (case "invalid-arguments" $failure) (case "failed" $failure)
            (case "transient" $failure) (case "in-doubt" $failure) (case "stopped"))"#,
    ),
];

/// The tool's parts that differ from test to test.
#[derive(Clone, Copy, Default)]
pub(crate) struct Parts {
    /// Imports of the component, and core functions that are lowered from them.
    pub(crate) imports: &'static str,
    /// What the core module is instantiated with.
    pub(crate) with: &'static str,
    /// The core module's imports.
    pub(crate) core_imports: &'static str,
    /// More of the core module.
    pub(crate) core: &'static str,
    /// Pages of the core module's memory; none means one.
    pub(crate) pages: u32,
    /// What `call` does, before it returns the address of its result. At 256 there is an empty
    /// output.
    pub(crate) call: &'static str,
}

/// A component with one tool, called `tool`.
pub(crate) fn tool(parts: Parts) -> Vec<u8> {
    let text = text(parts);
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn text(parts: Parts) -> String {
    let Parts {
        imports,
        with,
        core_imports,
        core,
        call,
        ..
    } = parts;
    let pages = parts.pages.max(1);
    let each = |line: &dyn Fn(&str, &str) -> String| -> String {
        TYPES.iter().map(|(name, of)| line(name, of)).collect()
    };
    let types = each(&|name, of| {
        format!("(type ${name}-of {of}) (export \"{name}\" (type ${name} (eq ${name}-of)))\n")
    });
    let named = each(&|name, _| format!("(alias export $types \"{name}\" (type ${name}))\n"));
    let taken = each(&|name, of| {
        format!("(type ${name}-of {of}) (import \"type-{name}\" (type ${name} (eq ${name}-of)))\n")
    });
    let given = each(&|name, _| format!("(export $out-{name} \"{name}\" (type ${name}))\n"));
    let handed = each(&|name, _| format!("(with \"type-{name}\" (type ${name}))\n"));
    format!(
        r#"(component
            (import "stepwell:tool/types@0.1.0" (instance $types {types}))
            {named}
            {imports}
            (core module $core
                {core_imports}
                (memory (export "memory") {pages})
                (global $top (mut i32) (i32.const 4096))
                (data (i32.const 16) "tool")
                (data (i32.const 32) "{{\22type\22:\22object\22}}")
                (data (i32.const 64) "\50\00\00\00\01\00\00\00")
                (data (i32.const 80) "\10\00\00\00\04\00\00\00")
                (data (i32.const 100) "\10\00\00\00\04\00\00\00\20\00\00\00\11\00\00\00")
                (func (export "realloc") (param i32 i32 i32 i32) (result i32)
                    global.get $top
                    (global.set $top (i32.add (global.get $top) (local.get 3))))
                (func (export "describe") (result i32) i32.const 64)
                {core}
                (func $call (export "call") (param i32 i32 i32 i32) (result i32)
                    {call}
                    i32.const 256))
            (core instance $i (instantiate $core {with}))
            (func $describe (result (list $definition))
                (canon lift (core func $i "describe") (memory (core memory $i "memory"))))
            (func $call (param "name" string) (param "arguments" string)
                (result (result $output (error $error)))
                (canon lift (core func $i "call") (memory (core memory $i "memory"))
                    (realloc (core func $i "realloc"))))
            (component $shim
                {taken}
                (import "describe" (func $describe (result (list $definition))))
                (import "call" (func $call (param "name" string) (param "arguments" string)
                    (result (result $output (error $error)))))
                {given}
                (export "describe" (func $describe) (func (result (list $out-definition))))
                (export "call" (func $call)
                    (func (param "name" string) (param "arguments" string)
                        (result (result $out-output (error $out-error))))))
            (instance $tools (instantiate $shim {handed}
                (with "describe" (func $describe)) (with "call" (func $call))))
            (export "stepwell:tool/tools@0.1.0" (instance $tools)))"#
    )
}
