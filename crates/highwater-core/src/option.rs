//! Options that cannot be meant.

/// Option that cannot be meant, and the rule that it breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{option} {reason}")]
pub struct InvalidOption {
    /// The option.
    pub option: &'static str,
    /// The rule that it breaks.
    pub reason: &'static str,
}

impl InvalidOption {
    /// Refuses the first option that is not more than zero; each comes with whether it is.
    ///
    /// ```
    /// use highwater_core::InvalidOption;
    /// let (batch_size, max_deaths) = (500, 0);
    /// let rules = [("batch_size", batch_size > 0), ("max_deaths", max_deaths > 0)];
    /// let refused = InvalidOption::require_positive(rules).unwrap_err();
    /// assert_eq!(refused.to_string(), "max_deaths must be more than zero");
    /// ```
    pub fn require_positive(
        options: impl IntoIterator<Item = (&'static str, bool)>,
    ) -> Result<(), Self> {
        let broken = options.into_iter().find(|(_, is_positive)| !is_positive);
        broken.map_or(Ok(()), |(option, _)| Err(Self { option, reason: "must be more than zero" }))
    }
}
