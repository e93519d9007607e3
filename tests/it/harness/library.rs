//! The engine library and the program under test.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use roost::config::{Config, EnginePlace, Flags};

/// The built program.
pub(crate) fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_roost"))
}

/// Where the engine library is: the place that `config` finds, by `ROOST_ENGINE_LIB` or the cache.
pub(crate) fn library() -> PathBuf {
    static FOUND: LazyLock<PathBuf> = LazyLock::new(|| {
        let names = ["ROOST_ENGINE_LIB", "XDG_CACHE_HOME", "HOME"];
        let environment = std::env::vars().filter(|(name, _)| names.contains(&name.as_str()));
        let config = Config::from_parts(None, environment, &Flags::default()).unwrap();
        let EnginePlace::Embedded(engine) = config.engine.place else { panic!("no library in {config:?}") };
        engine.library
    });
    require(&FOUND);
    FOUND.clone()
}

fn require(library: &Path) {
    assert!(
        library.is_file(),
        "the engine library is not at {}: run make engine, or set ROOST_ENGINE_LIB",
        library.display()
    );
}
