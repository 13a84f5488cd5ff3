"""Known answers to lesson 01: right ones must pass, wrong ones must fail and read the words promised."""
