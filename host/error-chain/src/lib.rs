//! Errors with all of their causes, in one line.
//!
//! The message of an error does not contain its source: whoever prints or logs
//! an error prints the chain, so that each cause appears once.

use std::error::Error;
use std::fmt;

/// An error whose chain of causes can be printed.
pub trait ErrorChain {
    /// The error followed by its causes, separated by `: `.
    fn chain(&self) -> Chain<'_>;
}

impl<E: Error + 'static> ErrorChain for E {
    fn chain(&self) -> Chain<'_> {
        Chain(self)
    }
}

impl ErrorChain for dyn Error + '_ {
    fn chain(&self) -> Chain<'_> {
        Chain(self)
    }
}

/// Prints an error and its causes.
#[derive(Debug, Clone, Copy)]
pub struct Chain<'a>(&'a (dyn Error + 'a));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last = self.0.to_string();
        f.write_str(&last)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            let text = error.to_string();
            // Errors of other crates may contain their source.
            if !last.ends_with(&text) {
                write!(f, ": {text}")?;
                last = text;
            }
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Layer(&'static str, Option<Box<Layer>>);

    impl fmt::Display for Layer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Layer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref().map(|layer| layer as _)
        }
    }

    #[test]
    fn every_cause_is_printed_once() {
        for (layers, wanted) in [
            (&["no such file"][..], "no such file"),
            (
                &["cannot open x", "no such file"],
                "cannot open x: no such file",
            ),
            (&["a", "b", "c"], "a: b: c"),
            (&["cannot open x: gone", "gone"], "cannot open x: gone"),
            (&["a", "b: c", "c", "d"], "a: b: c: d"),
        ] {
            let error = layers
                .iter()
                .rev()
                .fold(None, |source, text| Some(Box::new(Layer(text, source))));
            let error = error.unwrap();
            assert_eq!(error.chain().to_string(), wanted);
            let boxed: Box<dyn Error> = error;
            assert_eq!(boxed.as_ref().chain().to_string(), wanted);
        }
    }
}
