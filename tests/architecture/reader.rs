//! What a file mentions: every path in it, and where each of them leads.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::UseTree;
use syn::visit::{self, Visit};

pub(crate) type Segments = Vec<String>;

/// A path as somebody wrote it.
pub(crate) struct Mention {
    segments: Segments,
    pub(crate) line: usize,
    /// The module that it is written in.
    within: Segments,
}

/// Collects what a file mentions.
#[derive(Default)]
pub(crate) struct Reader {
    within: Segments,
    pub(crate) mentions: Vec<Mention>,
    /// What names stand for, by `use`.
    imports: BTreeMap<String, Vec<Mention>>,
    /// Modules that are declared, and whether for everybody.
    pub(crate) modules: BTreeMap<Segments, bool>,
}

impl Reader {
    /// One that reads what is written in this module.
    pub(crate) fn new(within: Segments) -> Self {
        Self {
            within,
            ..Self::default()
        }
    }

    fn mention(&mut self, segments: Segments, line: usize) {
        let within = self.within.clone();
        self.mentions.push(Mention {
            segments,
            line,
            within,
        });
    }

    fn tree(&mut self, tree: &UseTree, prefix: &[String]) {
        let with = |ident: &Ident| {
            let mut path = prefix.to_vec();
            path.push(name(ident));
            path
        };
        match tree {
            UseTree::Path(path) => self.tree(&path.tree, &with(&path.ident)),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(tree, prefix)),
            UseTree::Glob(glob) => {
                let line = glob
                    .star_token
                    .spans
                    .first()
                    .map_or(0, |span| span.start().line);
                self.mention(prefix.to_vec(), line);
            }
            UseTree::Name(it) if it.ident == "self" => {
                let alias = prefix.last().cloned().unwrap_or_default();
                self.import(alias, prefix.to_vec(), &it.ident);
            }
            UseTree::Name(it) => self.import(name(&it.ident), with(&it.ident), &it.ident),
            UseTree::Rename(it) => {
                let path = match it.ident == "self" {
                    true => prefix.to_vec(),
                    false => with(&it.ident),
                };
                self.import(name(&it.rename), path, &it.ident);
            }
        }
    }

    fn import(&mut self, alias: String, segments: Segments, at: &Ident) {
        let line = at.span().start().line;
        let within = self.within.clone();
        self.mention(segments.clone(), line);
        self.imports.entry(alias).or_default().push(Mention {
            segments,
            line,
            within,
        });
    }

    /// Reads the paths among tokens; those of a group in braces after `::` go on from its prefix.
    fn tokens(&mut self, tokens: TokenStream, prefix: &[String]) {
        let mut path = prefix.to_vec();
        let (mut colons, mut line) = (0, 0);
        for token in tokens {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ':' => {
                    colons += 1;
                    continue;
                }
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.end(&mut path, prefix, line);
                    }
                    line = ident.span().start().line;
                    path.push(name(&ident));
                }
                TokenTree::Group(group) => {
                    let inner = if colons == 2 {
                        path.clone()
                    } else {
                        Vec::new()
                    };
                    self.end(&mut path, prefix, line);
                    self.tokens(group.stream(), &inner);
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => self.end(&mut path, prefix, line),
            }
            colons = 0;
        }
        self.end(&mut path, prefix, line);
    }

    fn end(&mut self, path: &mut Segments, prefix: &[String], line: usize) {
        let whole = std::mem::replace(path, prefix.to_vec());
        if whole.len() > prefix.len().max(1) {
            self.mention(whole, line);
        }
    }

    /// Where a path leads: from the root of this crate (`crate`), or from another one.
    pub(crate) fn resolve(&self, mention: &Mention) -> Vec<Segments> {
        let mut found = BTreeSet::from([self.absolute(&mention.segments, &mention.within)]);
        for _ in 0..4 {
            let targets: Vec<_> = found.iter().flat_map(|path| self.unalias(path)).collect();
            found.extend(targets);
        }
        found.into_iter().collect()
    }

    fn unalias(&self, path: &[String]) -> Vec<Segments> {
        let Some((first, rest)) = path.split_first() else {
            return Vec::new();
        };
        let imports = self.imports.get(first).into_iter().flatten();
        let imports = imports.filter(|import| import.segments.first() != Some(first));
        let imports = imports.map(|import| self.absolute(&import.segments, &import.within));
        imports.map(|target| [&target, rest].concat()).collect()
    }

    fn absolute(&self, path: &[String], within: &[String]) -> Segments {
        let Some((first, mut rest)) = path.split_first() else {
            return Vec::new();
        };
        let root = ["crate".to_owned()];
        let mut base = match first.as_str() {
            "crate" if within.first().is_some_and(|module| module == "main") => {
                return [&root[..], &["main".to_owned()], rest].concat();
            }
            "crate" | "stepwell" => return [&root[..], rest].concat(),
            "self" => within.to_vec(),
            "super" => within.split_last().map_or(&[][..], |(_, up)| up).to_vec(),
            _ if self
                .modules
                .contains_key(&[within, std::slice::from_ref(first)].concat()) =>
            {
                return [&root[..], within, path].concat();
            }
            _ => return path.to_vec(),
        };
        while let Some((next, more)) = rest.split_first()
            && next == "super"
        {
            base.pop();
            rest = more;
        }
        [&root[..], &base, rest].concat()
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.tree(&item.tree, &[]);
    }

    fn visit_item_extern_crate(&mut self, item: &'ast syn::ItemExternCrate) {
        let alias = item.rename.as_ref().map_or(&item.ident, |(_, alias)| alias);
        self.import(name(alias), vec![name(&item.ident)], &item.ident);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.within.push(name(&item.ident));
        let public = matches!(item.vis, syn::Visibility::Public(_));
        self.modules.insert(self.within.clone(), public);
        visit::visit_item_mod(self, item);
        self.within.pop();
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Segments = path.segments.iter().map(|part| name(&part.ident)).collect();
        if let Some(first) = path.segments.first().filter(|_| segments.len() > 1) {
            self.mention(segments, first.ident.span().start().line);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, it: &'ast syn::Macro) {
        self.tokens(it.tokens.clone(), &[]);
        visit::visit_macro(self, it);
    }

    fn visit_meta_list(&mut self, list: &'ast syn::MetaList) {
        self.tokens(list.tokens.clone(), &[]);
        visit::visit_meta_list(self, list);
    }
}

fn name(ident: &Ident) -> String {
    ident.to_string().trim_start_matches("r#").to_owned()
}
