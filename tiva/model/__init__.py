"""The Leontief system of a table as linear operators."""
