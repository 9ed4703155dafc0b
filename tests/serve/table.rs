//! A table of what was expected and what was found, printed as a whole where anything differs.

use std::fmt::Debug;

/// Rows of cells, each with what was expected and what was found.
pub(crate) struct Table<T> {
    columns: Vec<String>,
    rows: Vec<(String, Vec<(T, T)>)>,
}

impl<T: PartialEq + Debug> Table<T> {
    pub(crate) fn new<'a>(columns: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            columns: columns.into_iter().map(str::to_owned).collect(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, name: &str, cells: Vec<(T, T)>) {
        assert_eq!(cells.len(), self.columns.len(), "{name}");
        self.rows.push((name.to_owned(), cells));
    }

    /// Fails, with the whole table, where anything is not as expected.
    pub(crate) fn check(&self) {
        let mut all = self.rows.iter().flat_map(|(_, cells)| cells);
        assert!(
            all.all(|(expected, found)| expected == found),
            "\n{}",
            self.print()
        );
    }

    fn print(&self) -> String {
        let mut text = format!("{:40}", "");
        for column in &self.columns {
            text.push_str(&format!("{column:18}"));
        }
        for (name, cells) in &self.rows {
            text.push_str(&format!("\n{name:40}"));
            for (expected, found) in cells {
                let cell = match expected == found {
                    true => format!("{found:?}"),
                    false => format!("{found:?}, NOT {expected:?}"),
                };
                text.push_str(&format!("{cell:18}"));
            }
        }
        text
    }
}
