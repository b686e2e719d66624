//! Cases to run where something is wrong with the surroundings, and registries that are wrong.

use lastack::prelude::*;
use lastack::{FamilySource, Problems, Registry, Row};

/// One case that passes, one that does not, and one that needs many namespaces; of no catalogue.
pub fn sound() -> Result<Registry, Problems> {
    let sound: fn(&mut Family) = |family| {
        family.case("passes").run(|_| async { Ok(()) });
        family.case("fails").run(fails);
    };
    let crowd: fn(&mut Family) = |family| {
        family.case("crowd").run(crowd);
    };
    Registry::build(&[
        FamilySource { family: "sound", file: "sound/both.rs", cases: sound },
        FamilySource { family: "large", file: "large/crowd.rs", cases: crowd },
    ])
}

async fn crowd(scene: Scene) -> Result {
    scene.lab().hosts(&["a", "b", "c", "d", "e", "f", "g", "h"]).build().await.map(drop)
}

async fn fails(scene: Scene) -> Result {
    let Pair { a, b, .. } = scene.pair().connect().await?;
    a.reset().await?;
    b.kernel().is_gone().await?;
    b.read(1).eof().await?;
    Ok(())
}

/// Everything that can be wrong with case files that compile.
pub fn broken() -> Result<Registry, Problems> {
    let source = |file, cases| FamilySource { family: "broken", file, cases };
    let once: fn(&mut Family) = |family| {
        family.case("once").covers(["ZZ-01"]).source("here").run(|_| async { Ok(()) });
    };
    let forgot: fn(&mut Family) = |family| drop(family.case("forgot").covers(["ZZ-02"]));
    Registry::build(&[
        source("broken/first.rs", once),
        source("broken/second.rs", once),
        source("broken/empty.rs", |_| {}),
        source("broken/forgot.rs", forgot),
    ])
}

/// A case that covers a row, one that covers what is none, and a row without a case.
pub fn uncatalogued() -> Result<Registry, Problems> {
    static ROWS: [Row; 2] = [
        Row { id: "ZZ-01", rule: "A FIN ends it.", source: "here", absent: None },
        Row { id: "ZZ-02", rule: "A reset ends it.", source: "here", absent: None },
    ];
    let cases: fn(&mut Family) = |family| {
        family.case("sound").covers(["ZZ-01"]).run(|_| async { Ok(()) });
        family.case("typo").covers(["ZZ-10"]).across(Ip::BOTH, |_, _| async { Ok(()) });
    };
    let source = FamilySource { family: "close", file: "close/typo.rs", cases };
    Registry::build(&[source])?.catalogue(&ROWS)
}
