//! What the doctor found, for people.

use std::fmt::Write;

use super::{Boot, Examination, Finding, Found};

pub(super) fn of(examination: &Examination) -> String {
    let Examination { kernel, kernels, no_kernels, useless, runnable, ignored, findings } =
        examination;
    let mut text = format!("kernel {kernel}: {runnable} cases can run, {ignored} cannot\n");
    for Found { release, file, runnable, boot } in kernels {
        let (boots, trouble) = match boot {
            Some(Boot::Seconds(seconds)) => (format!(", boots in {seconds:.1} s"), None),
            Some(Boot::Trouble(why)) => (", DOES NOT BOOT".to_owned(), Some(why)),
            None => (String::new(), None),
        };
        let file = file.display();
        let _ = writeln!(text, "virtual kernel {release}, for {runnable}{boots}: {file}");
        if let Some(why) = trouble {
            let _ = writeln!(text, "  {why}");
        }
    }
    if let Some(why) = no_kernels {
        let _ = writeln!(text, "no virtual kernel: {why}");
    }
    for why in useless.iter().filter(|why| no_kernels.as_ref() != Some(why)) {
        let _ = writeln!(text, "no use as one: {why}");
    }
    text.push('\n');
    let width = findings.iter().map(|finding| finding.need.len()).max().unwrap_or(0);
    for Finding { need, met, detail, remedy, cases } in findings {
        let word = if *met { "yes" } else { "NO" };
        let detail = detail.as_deref().map(|detail| format!("  {detail}")).unwrap_or_default();
        let wanted = match (met, cases) {
            (false, 1) => " (one case needs it)".to_owned(),
            (false, 2..) => format!(" ({cases} cases need it)"),
            _ => String::new(),
        };
        let _ = writeln!(text, "{need:width$}  {word:3}{detail}{wanted}");
        if let Some(remedy) = remedy {
            let _ = writeln!(text, "{:width$}       → {remedy}", "");
        }
    }
    text
}
