"""The apps that the migrations are tried on: real T3 apps in several shapes, and small ones in every variant."""
