"""What the commands ``fastloss train`` and ``fastloss eval`` are made of."""
