//! The figures of a run: printed as they come, and kept for `target/bench.json`.

use std::{collections::BTreeMap, path::Path};

use lastack::{Result, error::Context, runner::case::Case};

/// Figures by their keys.
#[derive(Default)]
pub struct Figures {
    values: BTreeMap<&'static str, Option<f64>>,
    absent: BTreeMap<&'static str, String>,
}

impl Figures {
    /// Takes a figure.
    pub fn set(&mut self, key: &'static str, value: f64) {
        println!("{key:>26} {value:10.3}");
        self.values.insert(key, Some(value));
    }

    /// Says that a machine has no such figure, and why.
    pub fn lacks(&mut self, key: &'static str, reason: String) {
        println!("{key:>26}          - {reason}");
        self.values.insert(key, None);
        self.absent.insert(key, reason);
    }

    /// Whether the machine can run what gives this figure; notes why not if it cannot.
    pub fn can(&mut self, key: &'static str, case: &Case) -> bool {
        match case.obstacle() {
            None => true,
            Some(unmet) => {
                self.lacks(key, unmet.to_string());
                false
            }
        }
    }

    /// Writes them down: each key with its number or with null, and under `absent` the reasons
    /// for those.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> Result {
        let mut all = serde_json::to_value(&self.values).expect("numbers and names");
        if !self.absent.is_empty() {
            all["absent"] = serde_json::to_value(&self.absent).expect("names and words");
        }
        let json = serde_json::to_string_pretty(&all).expect("numbers and names");
        std::fs::write(path, json + "\n").context(|| format!("write {}", path.display()))?;
        println!("written to {}", path.display());
        Ok(())
    }
}
