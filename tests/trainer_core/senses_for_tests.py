"""Made-up senses: a computer that says what a test wants it to say."""


class Senses:
    """What a test says that the computer does."""

    gpu = None

    def __init__(self):
        self.battery, self.at_c, self.rival, self.program, self.minute = False, 50.0, None, None, 0
        self.asked = []

    def on_battery(self):
        self.asked.append("battery")
        return self.battery

    def heat(self):
        self.asked.append("heat")
        return ("GPU", self.at_c) if self.at_c is not None else None

    def gpu_rival(self):
        self.asked.append("rival")
        return self.rival

    def running(self, names):
        self.asked.append("running")
        return self.program

    def minute_of_day(self):
        return self.minute
