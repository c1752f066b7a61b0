//! Interfaces of the host that the SDK does not offer as they are.
#![allow(clippy::all)]

wit_bindgen::generate!({
    inline: "
        package escape:raw@1.0.0;

        world raw {
            import charmhost:store/store@0.2.0;
            import charmhost:stored-state/stored-state@0.2.0;
            import charmhost:framework/framework@0.2.0;
            import charmhost:relations/relations@0.2.0;
            import charmhost:log/log@0.2.0;
        }
    ",
    path: "../../../wit/charm",
    world: "escape:raw/raw",
    generate_all,
});

pub use self::charmhost::framework::framework;
pub use self::charmhost::log::log;
pub use self::charmhost::relations::relations;
pub use self::charmhost::store::store;
pub use self::charmhost::stored_state::stored_state;
