//! Trials of `cargo test` that wait for guests: the guests run on threads of their own and hand in
//! what becomes of each case; its trial collects it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use libtest_mimic::{Completion, Failed, Trial};

use super::batch::News;
use super::case::Case;
use super::events::Finished;
use super::evidence::span;
use super::jobs;
use super::pool::{Means, add};
use crate::report::libtest::completion;
use crate::virt::Kernel;

/// The cases that guests are to run, and who waits for them.
#[derive(Default)]
pub(super) struct Waiting {
    seated: Vec<(Arc<Kernel>, Vec<Case>)>,
    /// By name: who waits for what becomes of the case.
    ears: BTreeMap<String, mpsc::Sender<News>>,
    /// Where cases ran: how many on each kernel, and the longest.
    ran: Arc<Mutex<BTreeMap<String, (usize, Duration)>>>,
}

impl Waiting {
    /// A trial that waits for what becomes of this case.
    pub fn trial(&mut self, case: &Case) -> Trial {
        let (tell, told) = mpsc::channel();
        self.ears.insert(case.name.clone(), tell);
        let (name, case, ran) = (case.name.clone(), case.clone(), self.ran.clone());
        Trial::ignorable_test(name, move || {
            loop {
                match told.recv() {
                    Ok(News::Started) => {}
                    Ok(News::Finished(finished)) => {
                        note(&ran, &finished);
                        return completion(&case, &finished);
                    }
                    Ok(News::Ignored(unmet)) => {
                        let reason = format!("cannot run here: {unmet}");
                        return match jobs::skip_denied(&unmet) {
                            true => Err(Failed::from(reason)),
                            false => Ok(Completion::ignored_with(reason)),
                        };
                    }
                    Err(_) => return Err(Failed::from("no guest was started for it")),
                }
            }
        })
    }

    /// Has the case run, on this kernel.
    pub fn seat(&mut self, case: &Case, kernel: Arc<Kernel>) {
        add(&mut self.seated, kernel, case.clone());
    }

    /// Starts the guests. They are ended, whatever they do, when this process ends.
    pub fn start(&mut self, means: &Arc<Means>, jobs: usize) {
        let seated = std::mem::take(&mut self.seated);
        // Only the guests' thread may hold these: a case that is forgotten hangs nobody up then.
        let ears = std::mem::take(&mut self.ears);
        if seated.is_empty() {
            return;
        }
        let means = means.clone();
        std::thread::spawn(move || {
            let seated: Vec<_> = seated
                .iter()
                .map(|(kernel, cases)| (kernel.clone(), cases.iter().collect::<Vec<_>>()))
                .collect();
            means.on_virtual(&seated, jobs, &|case, news| {
                // A trial that is gone has no use for it.
                let _ = ears[&case.name].send(news);
            });
        });
    }

    /// Says on standard error where cases ran, which the lines of libtest cannot carry.
    pub fn sum_up(&self) {
        for (place, (cases, longest)) in &*self.ran.lock().unwrap_or_else(PoisonError::into_inner) {
            let cases = if *cases == 1 { "1 case".to_owned() } else { format!("{cases} cases") };
            eprintln!("lastack: {cases} ran on {place}, the longest for {}", span(*longest));
        }
    }
}

fn note(ran: &Mutex<BTreeMap<String, (usize, Duration)>>, finished: &Finished) {
    let mut ran = ran.lock().unwrap_or_else(PoisonError::into_inner);
    let (cases, longest) = ran.entry(finished.place.to_string()).or_default();
    *cases += 1;
    *longest = finished.elapsed.max(*longest);
}
