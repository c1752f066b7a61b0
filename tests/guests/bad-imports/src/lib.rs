//! A component of another world than that of charms.

wit_bindgen::generate!({
    inline: "
        package example:other@1.0.0;

        interface thing {
            ask: func() -> u32;
        }

        world other {
            import thing;
            export answer: func() -> u32;
        }
    ",
});

struct Other;

impl Guest for Other {
    fn answer() -> u32 {
        example::other::thing::ask()
    }
}

export!(Other);
