"""From a submission to a decision: bring the bundle, judge it, write down what was decided and why."""
