// CONFIGURATION: the experiment. Weights are relative; a new name draws every visitor anew.

export const experiment = {
  name: "landing-headline",
  variants: [
    { name: "calm", weight: 50, headline: "Functions near your users" },
    { name: "bold", weight: 50, headline: "One deploy, every region" },
  ],
};
